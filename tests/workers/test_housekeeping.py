"""The sweep finds what was lost, and one fault does not keep the rest from being done."""

import pytest
from sqlalchemy import select

from tests.factories import make_classifier, make_instance, make_study, make_user
from tests.workers.images import greys
from tests.worklist import datasets
from workers import housekeeping
from worklist import database
from worklist.dicom.display_copy import pixels_path
from worklist.errors import Unavailable
from worklist.reading import claims
from worklist.tables import Instance, ReadingState, Study
from worklist.triage.display import ensure_display_copy


@pytest.fixture
def study(site, frozen):
    with database.transaction() as session:
        make_classifier(session)
        return make_study(session, images=2, is_complete=False).id


def state_of(study):
    with database.reading() as session:
        found = session.get_one(Study, study)
        return found.is_complete, found.reading_state


def test_an_image_whose_job_was_lost_is_offered_again(study, frozen, sent_jobs):
    housekeeping.sweep()
    assert sent_jobs == []
    frozen.advance(seconds=11)
    housekeeping.sweep()
    assert len(sent_jobs) == 2
    assert {name for name, _ in sent_jobs} == {"analyse_instance"}


def test_a_quiet_study_becomes_complete_and_a_forgotten_claim_ends(study, frozen, sent_jobs):
    with database.transaction() as session:
        claims.claim(session, study, make_user(session).id)
    frozen.advance(seconds=301)
    housekeeping.sweep()
    assert state_of(study) == (True, ReadingState.UNREAD)


def test_a_fault_in_one_duty_is_loud_and_the_others_are_done(study, frozen, sent_jobs, monkeypatch):
    def breaks(_session):
        raise ZeroDivisionError

    monkeypatch.setattr(housekeeping.assembly, "complete_quiet_studies", breaks)
    frozen.advance(seconds=11)
    with pytest.raises(ZeroDivisionError):
        housekeeping.sweep()
    assert len(sent_jobs) == 2


def test_with_the_database_away_the_sweep_ends_at_once(study, sent_jobs, monkeypatch):
    def away(_session):
        raise Unavailable("The database did not answer.")

    monkeypatch.setattr(housekeeping.assembly, "complete_quiet_studies", away)
    with pytest.raises(Unavailable):
        housekeeping.sweep()
    assert sent_jobs == []


def test_the_viewers_copy_is_made_where_the_viewer_looks_for_it(site):
    name = "2026/03/02/one.dcm"
    path = site.archive_folder / name
    path.parent.mkdir(parents=True)
    datasets.write(datasets.make_radiograph(**greys()), path)
    with database.transaction() as session:
        series = make_study(session, images=0).series[0]
        instance = make_instance(session, series, file_path=name).id
    housekeeping.write_display_copy(instance)
    before = list(site.cache_folder.rglob("*.zst"))
    assert before == [pixels_path(ensure_display_copy(instance, name))]
    housekeeping.write_display_copy(instance)
    assert list(site.cache_folder.rglob("*.zst")) == before


def test_an_image_without_a_file_or_a_row_is_no_failed_job(site, study):
    with database.reading() as session:
        instance = session.scalars(select(Instance.id)).first()
    housekeeping.write_display_copy(instance)
    housekeeping.write_display_copy(4711)
    assert not site.cache_folder.exists()
