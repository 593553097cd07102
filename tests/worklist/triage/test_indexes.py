"""Every index is used by the query that its comment in ``tables/`` names, on both databases.

An index that no query uses costs time with each image; a list without its index is slow only where it hurts:
at a site with a hundred thousand studies.
"""

import re

import pytest
from sqlalchemy import event, insert, text

from tests.factories import make_classifier
from worklist import clock
from worklist.intake import assembly, held_files, sources
from worklist.tables import (
    Attention,
    BodyPart,
    Instance,
    Quarantined,
    QuarantineKind,
    QuarantineState,
    ReadingState,
    Resolution,
    Result,
    Series,
    Study,
    StudyName,
)
from worklist.triage import analyses, ranked_list
from worklist.triage.leases import Claimant
from worklist.triage.list_query import Due, Filters

ROWS = 3000


@pytest.fixture
def filled(session):
    """Many read studies, few that wait: what a list looks like after a year."""
    now = clock.now()
    session.execute(insert(Study), [_study(number, now) for number in range(ROWS)])
    names = [{"study_id": number + 1, "words": f"N{number:05}"} for number in range(ROWS)]
    session.execute(insert(StudyName), names)
    session.execute(insert(Series), [_series(number) for number in range(ROWS)])
    session.execute(insert(Instance), [_instance(number, now) for number in range(ROWS)])
    session.execute(insert(Quarantined), [_quarantined(number, now) for number in range(ROWS)])
    session.execute(text("ANALYZE"))
    if session.get_bind().dialect.name == "postgresql":
        # A table of this size would be read as a whole.
        session.execute(text("SET LOCAL enable_seqscan = off"))
    return session


def _study(number, now):
    is_open = number % 10 == 0
    return {
        "id": number + 1,
        "study_instance_uid": f"1.{number}",
        "patient_id": f"P{number:05}",
        "patient_name_folded": f"N{number:05}",
        "accession_number": f"A{number:05}",
        "received_at": now,
        "last_received_at": now,
        "rank_key": number,
        "due_key": number if number < 100 else clock.milliseconds(now) + 10**9,
        "is_open": is_open,
        "reading_state": (ReadingState.UNREAD if number % 500 else ReadingState.DEFERRED)
        if is_open
        else ReadingState.READ,
        "is_complete": number % 500 != 0,
        "body_part": BodyPart.HAND if number % 100 < 2 else BodyPart.WRIST,
        "result": Result.FAILED if number % 300 < 2 else Result.SCORED,
        "attention": Attention.FLAGGED if number % 200 < 2 else Attention.NONE,
    }


def _series(number):
    return {"id": number + 1, "study_id": number + 1, "series_instance_uid": "1"}


def _instance(number, now):
    return {
        "id": number + 1,
        "series_id": number + 1,
        "sop_instance_uid": f"1.{number}",
        "sop_class_uid": "1",
        "transfer_syntax_uid": "1",
        "file_path": "x",
        "file_bytes": 1,
        "sha256": "x",
        "received_at": now,
        "needs_analysis": number % 500 == 0,
    }


def _quarantined(number, now):
    is_open = number % 100 == 0
    return {
        "sha256": f"{number:064}",
        "file_path": "x",
        "file_bytes": 1,
        "kind": QuarantineKind.OTHER_STUDY,
        "study_instance_uid": f"1.{number}",
        "study_id": number + 1,
        "received_at": now,
        "last_received_at": now,
        "state": QuarantineState.OPEN if is_open else QuarantineState.RESOLVED,
        "resolution": None if is_open else Resolution.DISCARDED,
        "resolved_at": None if is_open else now,
    }


def plan(session, call):
    """Return what the database intends to do for each statement of a call."""
    engine, seen = session.get_bind().engine, []

    def note(_connection, cursor, statement, parameters, *_):
        if statement.lstrip().startswith("SELECT"):
            seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        call(session)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
    lines = []
    for statement, parameters in seen:
        rows = session.connection().exec_driver_sql(explain + statement, parameters)
        lines += [str(row[-1]) for row in rows]
    return "\n".join(lines)


def page(**filters):
    return lambda session: ranked_list.ranked_page(session, Filters(**filters))


QUERIES = {
    "ix_study_open_rank": page(),
    "ix_study_open_part_rank": page(body_part=BodyPart.HAND),
    "ix_study_open_attention_rank": page(attention=Attention.FLAGGED),
    "ix_study_open_result_rank": page(result=Result.FAILED),
    "ix_study_open_state_rank": page(state="deferred"),
    "ix_study_read_rank": page(state="read"),
    "ix_study_read_result_rank": page(state="read", result=Result.FAILED),
    "ix_study_read_attention_rank": page(state="read", attention=Attention.FLAGGED),
    "ix_study_read_part_rank": page(state="read", body_part=BodyPart.HAND),
    "ix_study_turn_rank": page(state="arbitration"),
    "ix_study_open_due": page(due=Due.LATE),
    "ix_study_name_words": page(state="read", search="n00017"),
    "ix_study_patient_id": page(state="read", search="p00017"),
    "ix_study_accession": page(state="read", search="a00017"),
    "ix_study_incomplete": assembly.complete_quiet_studies,
    "ix_instance_waiting": analyses.lost_instances,
    "ix_instance_source": lambda session: sources.image_counts(session, clock.now()),
    "ix_quarantined_open": lambda session: held_files.held_files(session, limit=10),
    "ix_quarantined_open_study_uid": page(),
    "ix_quarantined_open_study": page(),
    "ix_quarantined_resolved_at": lambda session: held_files.decided_lately(session, limit=10),
}


def test_each_index_is_used_by_the_query_that_its_comment_names(filled):
    plans = {name: plan(filled, query) for name, query in QUERIES.items()}
    assert {name: found for name, found in plans.items() if not re.search(rf"\b{name}\b", found)} == {}


def test_a_search_is_answered_from_its_own_indexes_whatever_else_is_filtered(filled):
    found = plan(filled, page(search="n00017", body_part=BodyPart.HAND, result=Result.FAILED))
    assert all(name in found for name in ("ix_study_name_words", "ix_study_patient_id", "ix_study_accession"))


def test_a_page_begins_where_the_last_one_ended_and_claims_look_only_at_waiting_images(filled):
    version = make_classifier(filled).id
    second = plan(filled, lambda session: ranked_list.ranked_page(session, Filters(), after="1500.1501"))
    assert re.search(r"\(rank_key,id\)>|Index Cond: .*rank_key|rank_key>", second)
    claim = plan(filled, lambda session: analyses.claim_batch(session, 1, Claimant("w", version, 1)))
    assert "ix_instance_waiting" in claim
