"""How long the list takes with a million studies: its SQL, and the whole request.

    python benchmarks/list_page.py                   # SQLite in a temporary folder
    python benchmarks/list_page.py --database URL    # an empty one, or one that an earlier run has filled
    python benchmarks/list_page.py --plans FILE      # and what the database intends to do for each

A fiftieth of the studies waits, the rest has been read. The whole request is timed inside the process: session
cookie, person, rows, counts, template. Then each of its statements is run again by itself and timed with the
fetching of its rows, since SQLite does its work there.
"""

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, insert, select

from web import create_app
from worklist import accounts, clock, database, schema, settings
from worklist.dicom.name_words import turns
from worklist.tables import (
    Attention,
    BodyPart,
    ClinicalPriority,
    ReadingState,
    Result,
    Role,
    Series,
    Study,
    StudyName,
)
from worklist.tables.study import Instance
from worklist.triage.ranking import Policy, due_key, rank_key

OPEN_SHARE, REQUESTS, CHUNK = 0.02, 60, 5_000
Statements = list[tuple[str, object]]
GIVEN = ("ANNA", "OTTO", "RITA", "LENA", "ADAM", "JO")
FAMILIES = ("SYNTHETIC", "PHANTOM", "EXAMPLE", "SPECIMEN", "MUSTER", "DUMMY", "TESTER", "SAMPLE", "MODEL")
STATES = (ReadingState.UNREAD, ReadingState.DEFERRED, ReadingState.READING)
PASSWORD = "four quite unrelated words"


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--database", default="", help="URL of a database; without it SQLite is used")
    parser.add_argument("--studies", type=int, default=1_000_000, help="how many an empty one is filled with")
    parser.add_argument("--plans", type=Path, help="file to add the plans of the statements to")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WORKLIST_DATA_FOLDER"] = folder
        measure(given.database, given.studies, given.plans)


def measure(database_url: str, studies: int, plans: Path | None) -> None:
    os.environ["WORKLIST_DATABASE_URL"] = database_url
    os.environ["WORKLIST_SECRET_KEY"] = "a-key-for-one-benchmark-and-nothing-else"
    settings.current.cache_clear()
    database.forget_engine()
    schema.upgrade(database.engine())
    with database.reading() as session:
        is_empty = session.scalars(select(Study.id).limit(1)).first() is None
    if is_empty:
        fill(studies)
    dialect = database.engine().dialect.name
    print(f"{dialect}, {studies:,} studies; milliseconds\n")
    print("| | rows, median | rows, p95 | all SQL, median | all SQL, p95 | request, median | request, p95 |")
    print("|---|---|---|---|---|---|---|")
    client = signed_in(create_app())
    seen: dict[str, Statements] = {}
    for name, address in addresses(studies).items():
        seen[name] = report(name, lambda address=address: client.get(address))  # type: ignore[misc]
    polled = client.get("/rows").text.split('data-version="')[1].split('"')[0]
    report("poll, nothing new (204)", lambda: client.get(f"/rows?v={polled}"))
    if plans is not None:
        with plans.open("a", encoding="utf-8") as file:
            file.write(plan_text(dialect, seen))
    database.forget_engine()


def fill(studies: int) -> None:
    """Insert studies with two images each, in chunks."""
    chance = random.Random(1)
    for first in range(0, studies, CHUNK):
        numbers = range(first + 1, first + CHUNK + 1)
        with database.transaction() as session:
            rows = [study(number, chance) for number in numbers]
            session.execute(insert(Study.__table__), rows)
            names = [(row["id"], turn) for row in rows for turn in turns(str(row["patient_name_folded"]))]
            session.execute(
                insert(StudyName.__table__), [{"study_id": n, "words": words} for n, words in names]
            )
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
    with database.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # What autovacuum has done at a site that has run for a year.
        is_sqlite = connection.dialect.name == "sqlite"
        connection.exec_driver_sql("ANALYZE" if is_sqlite else "VACUUM (ANALYZE)")


def study(number: int, chance: random.Random) -> dict[str, object]:
    waiting = chance.random() < OPEN_SHARE
    age = timedelta(hours=chance.random() * (26 if waiting else 24 * 365))
    received_at = clock.now() - age
    # Of a thousand: 940 scored, 50 out of scope, 10 failed.
    result = chance.choices((Result.SCORED, Result.OUT_OF_SCOPE, Result.FAILED), (94, 5, 1))[0]
    scored = result is Result.SCORED
    probability = chance.betavariate(0.6, 1.4) if scored else None
    family, given = f"{chance.choice(FAMILIES)}{number % 977}", f"{chance.choice(GIVEN)}{number % 89}"
    name = f"{family}^{given} {chance.choice('ABCDEFGH')}"
    return {
        "id": number,
        "study_instance_uid": f"1.2.{number}",
        "patient_id": f"SYN-{chance.randrange(10**7):07}",
        "patient_name": name,
        "patient_name_folded": name,
        "accession_number": f"ACC{number}",
        "description": "Wrist right",
        "body_part": None if result is Result.OUT_OF_SCOPE else chance.choice(list(BodyPart)),
        "received_at": received_at,
        "last_received_at": received_at,
        "is_complete": True,
        "result": result,
        "study_probability": probability,
        "attention": attention(probability),
        "rank_key": rank_key(received_at, probability, ClinicalPriority.ROUTINE, policy=Policy()),
        "due_key": due_key(received_at, ClinicalPriority.ROUTINE, policy=Policy()),
        "reading_state": chance.choices(STATES, (95, 3, 2))[0] if waiting else ReadingState.READ,
        "is_open": waiting,
    }


def attention(probability: float | None) -> Attention:
    if probability is None or probability < 0.4:
        return Attention.NONE
    return Attention.FLAGGED if probability > 0.6 else Attention.LOOK_CLOSER


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


def addresses(studies: int) -> dict[str, str]:
    with database.reading() as session:
        by_rank = select(Study.rank_key, Study.id).where(Study.is_open).order_by(Study.rank_key)
        deep = session.execute(by_rank.offset(studies // 200).limit(1)).one()
        every = select(Study.rank_key, Study.id).where(~Study.is_open).order_by(Study.rank_key)
        deepest = session.execute(every.offset(studies * 8 // 10).limit(1)).one()
    return {
        "first page": "/",
        "deep page of the waiting": f"/?after={deep[0]}.{deep[1]}&page=100",
        "deep page of the read": f"/?state=read&after={deepest[0]}.{deepest[1]}&page=1600",
        "body part": "/?part=WRIST",
        "flagged": "/?attention=flagged",
        "failed": "/?result=failed",
        "body part and flagged": "/?part=WRIST&attention=flagged",
        "unread": "/?state=unread",
        "deferred": "/?state=deferred",
        "being read, of one body part": "/?state=reading&part=ELBOW",
        "for a second reader": "/?state=second",
        "for arbitration": "/?state=arbitration",
        "late": "/?due=late",
        "due within the hour, one body part": "/?due=hour&part=HAND",
        "late and failed": "/?due=late&result=failed",
        "waiting, not scored yet: none": "/?result=waiting",
        "waiting, out of scope, one body part: none": "/?result=out_of_scope&part=WRIST",
        "read": "/?state=read",
        "read, one body part, flagged": "/?state=read&part=HAND&attention=flagged",
        "read, look closer": "/?state=read&attention=look_closer",
        "read, failed": "/?state=read&result=failed",
        "read, failed, one body part": "/?state=read&result=failed&part=WRIST",
        "read, out of scope": "/?state=read&result=out_of_scope",
        "read, out of scope, one body part: none": "/?state=read&result=out_of_scope&part=WRIST",
        "read, failed, flagged: none": "/?state=read&result=failed&attention=flagged",
        "read, not scored yet: none": "/?state=read&result=waiting",
        "search, waiting, rare name": "/?q=synthetic42",
        "search, waiting, broad name": "/?q=s",
        "search, read, rare name": "/?state=read&q=synthetic42",
        "search, two parts of a name": "/?q=otto+synthetic4",
        "search, read, two parts of a name": "/?state=read&q=jo+synth",
        "search, read, two broad parts that never meet": "/?state=read&q=anna+otto",
        "search, read, one broad part": "/?state=read&q=anna",
        "search, read, broad name": "/?state=read&q=s",
        "search, read, patient ID": "/?state=read&q=SYN-0012",
        "search, read, accession number": "/?state=read&q=ACC4242",
        "search, read, nobody": "/?state=read&q=zzz",
    }


def report(name: str, request: Callable[[], object]) -> Statements:
    """Print one line of the table; return the statements of the request."""
    statements = statements_of(request)
    whole = timed(request)
    with database.engine().connect() as connection:

        def run(chosen: Statements) -> None:
            for statement, parameters in chosen:
                connection.exec_driver_sql(statement, parameters).all()  # type: ignore[arg-type]

        # Without person, policy, views, counts, and how broad a search is.
        rows = [one for one in statements if one[0].startswith(("SELECT study.id", "SELECT study.rank_key"))]
        run(statements)
        figures = (timed(lambda: run(rows)), timed(lambda: run(statements)), whole)
    cells = (f" {figure:.1f} |" for times in figures for figure in (statistics.median(times), p95(times)))
    print(f"| {name} |" + "".join(cells), flush=True)
    return statements


def timed(call: Callable[[], object]) -> list[float]:
    times = []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1000)
    return times


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def statements_of(request: Callable[[], object]) -> Statements:
    engine, found = database.engine(), []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if statement.lstrip().startswith("SELECT"):
            found.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        request()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return found


def plan_text(dialect: str, seen: dict[str, Statements]) -> str:
    """Return as Markdown what the database intends to do for the rows of each request."""
    explain = "EXPLAIN QUERY PLAN " if dialect == "sqlite" else "EXPLAIN (COSTS OFF) "
    lines = [f"## {'SQLite' if dialect == 'sqlite' else 'PostgreSQL'}", ""]
    with database.engine().connect() as connection:
        for name, statements in seen.items():
            lines += [f"### {name[0].upper()}{name[1:]}", ""]
            for statement, parameters in statements:
                if not statement.startswith("SELECT study.id \nFROM study"):
                    continue
                plan = connection.exec_driver_sql(explain + statement, parameters)  # type: ignore[arg-type]
                lines += ["```", *(str(row[-1]) for row in plan), "```", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
