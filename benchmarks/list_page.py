"""How long the server takes for one request of the list, with 100,000 studies in the database.

    python benchmarks/list_page.py              # SQLite in a temporary folder
    python benchmarks/list_page.py DATABASE_URL # an empty database, or one that an earlier run has filled

The whole request is timed inside the process: session cookie, person, rows, counts, template. A tenth of
the studies waits, the rest has been read.
"""

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select

from web import create_app
from worklist import accounts, clock, database, schema, settings
from worklist.tables import (
    Attention,
    BodyPart,
    ClinicalPriority,
    ReadingState,
    Result,
    Role,
    Series,
    Study,
)
from worklist.tables.study import Instance
from worklist.triage.ranking import Policy, rank_key

STUDIES, OPEN_SHARE, REQUESTS, CHUNK = 100_000, 0.1, 60, 5_000
FAMILIES = ("SYNTHETIC", "PHANTOM", "EXAMPLE", "SPECIMEN", "MUSTER", "DUMMY", "TESTER", "SAMPLE", "MODEL")
PASSWORD = "four quite unrelated words"


def main() -> None:
    """Fill, measure, print."""
    if len(sys.argv) > 1:
        measure(sys.argv[1])
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WORKLIST_DATA_FOLDER"] = folder
        measure("")


def measure(database_url: str) -> None:
    os.environ["WORKLIST_DATABASE_URL"] = database_url
    os.environ["WORKLIST_SECRET_KEY"] = "a-key-for-one-benchmark-and-nothing-else"
    settings.current.cache_clear()
    database.forget_engine()
    schema.upgrade(database.engine())
    with database.reading() as session:
        is_empty = session.scalars(select(Study.id).limit(1)).first() is None
    if is_empty:
        fill()
    print(f"{database.engine().dialect.name}, {STUDIES:,} studies")
    client = signed_in(create_app())
    for name, address in addresses(client).items():
        report(name, lambda address=address: client.get(address))  # type: ignore[misc]
    polled = client.get("/rows").text.split('data-version="')[1].split('"')[0]
    report("poll, nothing new (204)", lambda: client.get(f"/rows?v={polled}"))
    database.forget_engine()


def fill() -> None:
    """Insert studies with two images each, in chunks."""
    chance = random.Random(1)
    for first in range(0, STUDIES, CHUNK):
        numbers = range(first + 1, first + CHUNK + 1)
        with database.transaction() as session:
            session.execute(insert(Study.__table__), [study(number, chance) for number in numbers])
            session.execute(
                insert(Series.__table__),
                [{"id": n, "study_id": n, "series_instance_uid": f"1.2.{n}.1"} for n in numbers],
            )
            session.execute(insert(Instance.__table__), [image(n, view) for n in numbers for view in (1, 2)])
    with database.transaction() as session:
        accounts.create_user(
            session,
            username="rita",
            display_name="Rita Reader",
            password=PASSWORD,
            role=Role.READER,
            must_change_password=False,
        )
    with database.engine().connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()


def study(number: int, chance: random.Random) -> dict[str, object]:
    waiting = chance.random() < OPEN_SHARE
    age = timedelta(hours=chance.random() * (24 if waiting else 24 * 365))
    received_at = clock.now() - age
    scored = chance.random() < 0.9
    probability = chance.betavariate(0.6, 1.4) if scored else None
    name = f"{chance.choice(FAMILIES)}{number % 977}^{chance.choice('ABCDEFGH')}"
    return {
        "id": number,
        "study_instance_uid": f"1.2.{number}",
        "patient_id": f"SYN-{chance.randrange(10**7):07}",
        "patient_name": name,
        "patient_name_folded": name,
        "accession_number": f"ACC{number}",
        "description": "Wrist right",
        "body_part": chance.choice(list(BodyPart)),
        "received_at": received_at,
        "last_received_at": received_at,
        "is_complete": True,
        "result": Result.SCORED if scored else Result.FAILED,
        "study_probability": probability,
        "attention": Attention.FLAGGED if scored and probability > 0.6 else Attention.NONE,
        "rank_key": rank_key(received_at, probability, ClinicalPriority.ROUTINE, policy=Policy()),
        "reading_state": ReadingState.UNREAD if waiting else ReadingState.READ,
        "is_open": waiting,
    }


def image(number: int, view: int) -> dict[str, object]:
    return {
        "series_id": number,
        "sop_instance_uid": f"1.2.{number}.1.{view}",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.1.1",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "file_path": f"{number}/{view}",
        "file_bytes": 10_000_000,
        "sha256": "0" * 64,
        "received_at": clock.now(),
        "rows": 2500,
        "columns": 2000,
        "needs_analysis": False,
    }


def signed_in(app: Flask) -> FlaskClient:
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    client.post("/sign-in", data={"username": "rita", "password": PASSWORD})
    assert client.get("/").status_code == 200
    return client


def addresses(client: FlaskClient) -> dict[str, str]:
    with database.reading() as session:
        by_rank = select(Study.rank_key, Study.id).where(Study.is_open).order_by(Study.rank_key)
        deep = session.execute(by_rank.offset(5000).limit(1)).one()
        every = select(Study.rank_key, Study.id).where(~Study.is_open).order_by(Study.rank_key)
        deepest = session.execute(every.offset(80_000).limit(1)).one()
    return {
        "first page": "/",
        "page 100 of the waiting": f"/?after={deep[0]}.{deep[1]}&page=100",
        "page 1,600 of the read": f"/?state=read&after={deepest[0]}.{deepest[1]}&page=1600",
        "body part": "/?part=WRIST",
        "flagged": "/?attention=flagged",
        "failed": "/?result=failed",
        "body part and flagged": "/?part=WRIST&attention=flagged",
        "unread": "/?state=unread",
        "search, waiting, rare name": "/?q=synthetic42",
        "search, waiting, broad name": "/?q=s",
        "search, read, rare name": "/?state=read&q=synthetic42",
        "search, read, broad name": "/?state=read&q=s",
        "search, read, patient ID": "/?state=read&q=SYN-0012",
        "search, read, accession number": "/?state=read&q=ACC4242",
        "search, read, nobody": "/?state=read&q=zzz",
    }


def report(name: str, request: Callable[[], object]) -> None:
    """Print wall time, which other programs lengthen, and time on the processor, which they do not."""
    request()
    wall, processor = [], []
    for _ in range(REQUESTS):
        started, on_processor = time.perf_counter(), time.process_time()
        request()
        wall.append((time.perf_counter() - started) * 1000)
        processor.append((time.process_time() - on_processor) * 1000)
    p50, p95 = statistics.median(wall), statistics.quantiles(wall, n=20)[-1]
    own = statistics.median(processor)
    print(f"  {name:34} p50 {p50:6.1f} ms   p95 {p95:6.1f} ms   processor {own:5.1f} ms")


if __name__ == "__main__":
    main()
