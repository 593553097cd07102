"""A study is complete when nothing has come for a while, or when it has waited long enough."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tests.conftest import Clock, RecordedJobs
from tests.worklist.datasets import make_header, make_kept
from worklist import database, settings
from worklist.intake.assembly import complete_quiet_studies
from worklist.intake.register import register
from worklist.intake.sources import add
from worklist.intake.views import KINDS, are_complete
from worklist.settings import Settings
from worklist.tables import AuditEvent, BodyPart, Study


@pytest.fixture(autouse=True)
def _fixtures(site: Settings, frozen: Clock, sent_jobs: RecordedJobs) -> None:
    """All of them; quiet after 60 s, in any case after 900 s."""


def receive(quiet_seconds: float | None = None, **values: Any) -> int:
    with database.transaction() as session:
        source = None
        if quiet_seconds is not None:
            source = add(session, "CR1", "10.0.0.7", who="test")
            source.quiet_seconds = quiet_seconds
        return register(
            session,
            make_header(**values),
            make_kept(),
            source=source,
            first_place=lambda *_: {"rank_key": 0, "due_key": 0},
        ).study_id


def sweep() -> list[int]:
    with database.transaction() as session:
        return complete_quiet_studies(session)


def test_study_is_complete_after_a_quiet_minute_and_not_before(frozen: Clock) -> None:
    study_id = receive()
    frozen.advance(seconds=59)
    assert sweep() == []
    frozen.advance(seconds=1)
    assert sweep() == [study_id]
    assert sweep() == []
    with database.transaction() as session:
        study = session.get_one(Study, study_id)
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "study.completed")).one()
    assert (study.is_complete, study.completion_reason) == (True, "No new image for 60 s.")
    assert (event.about_type, event.about_id) == ("study", study_id)


def test_each_image_starts_the_quiet_time_anew(frozen: Clock) -> None:
    study_id = receive(study_instance_uid="1.2.3")
    for _ in range(3):
        frozen.advance(seconds=50)
        receive(study_instance_uid="1.2.3")
        assert sweep() == []
    frozen.advance(seconds=60)
    assert sweep() == [study_id]


def test_study_that_never_falls_quiet_is_complete_after_the_limit(frozen: Clock) -> None:
    study_id = receive(study_instance_uid="1.2.3")
    for _ in range(18):
        assert sweep() == []
        frozen.advance(seconds=50)
        receive(study_instance_uid="1.2.3")
    assert sweep() == [study_id]
    with database.transaction() as session:
        assert session.get_one(Study, study_id).completion_reason == "15 minutes after the first image."


def test_source_may_have_its_own_quiet_time(frozen: Clock) -> None:
    study_id = receive(quiet_seconds=300)
    frozen.advance(seconds=299)
    assert sweep() == []
    frozen.time += timedelta(seconds=1)
    assert sweep() == [study_id]


def test_reopened_study_completes_again(frozen: Clock) -> None:
    study_id = receive(study_instance_uid="1.2.3")
    frozen.advance(seconds=60)
    assert sweep() == [study_id]
    receive(study_instance_uid="1.2.3")
    assert sweep() == []
    frozen.advance(seconds=60)
    assert sweep() == [study_id]


def test_study_with_all_expected_views_is_complete_after_a_few_seconds(frozen: Clock) -> None:
    study_id = receive(study_instance_uid="1.2.3", body_part_examined="FOREARM", view_position="AP")
    frozen.advance(seconds=10)
    assert sweep() == []
    receive(study_instance_uid="1.2.3", body_part_examined="FOREARM", view_position="LL")
    frozen.advance(seconds=4)
    assert sweep() == []
    frozen.advance(seconds=1)
    assert sweep() == [study_id]
    with database.transaction() as session:
        assert session.get_one(Study, study_id).completion_reason == "All expected views are there."


def test_further_view_opens_the_study_again(frozen: Clock) -> None:
    for view in ("AP", "LL"):
        study_id = receive(study_instance_uid="1.2.3", body_part_examined="FOREARM", view_position=view)
    frozen.advance(seconds=5)
    assert sweep() == [study_id]
    receive(study_instance_uid="1.2.3", body_part_examined="FOREARM", view_position="OBL")
    with database.transaction() as session:
        assert not session.get_one(Study, study_id).is_complete
    frozen.advance(seconds=5)
    assert sweep() == [study_id]


@pytest.mark.parametrize(
    ("expected", "part", "views", "is_complete"),
    [
        ("WRIST=frontal+lateral", BodyPart.WRIST, {"PA", "LAT"}, True),
        ("WRIST=frontal+lateral", BodyPart.WRIST, {"AP", "RL", "OBL"}, True),
        ("WRIST=frontal+lateral", BodyPart.WRIST, {"PA", "AP"}, False),
        ("WRIST=frontal+lateral", BodyPart.WRIST, set(), False),
        ("WRIST=frontal+lateral", BodyPart.HAND, {"PA", "LAT"}, False),
        ("WRIST=frontal+lateral", None, {"PA", "LAT"}, False),
        ("HAND=frontal, WRIST=lateral", BodyPart.WRIST, {" ll "}, True),
        ("", BodyPart.WRIST, {"PA", "LAT"}, False),
    ],
)
def test_views_are_expected_by_kind(
    expected: str, part: BodyPart | None, views: set[str], is_complete: bool
) -> None:
    assert are_complete(expected, part, views) is is_complete


def test_settings_know_the_body_parts_and_kinds_of_views() -> None:
    assert set(settings.BODY_PARTS) == {part.value for part in BodyPart}
    assert set(settings.VIEW_KINDS) == set(KINDS)
