"""From header and file to rows: new, resent, changed, late, and contradictory images."""

import threading
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.conftest import Clock, RecordedJobs
from tests.worklist.datasets import STRUCTURED_REPORT, make_header, make_kept, new_uid
from worklist import archive, clock, database, jobs
from worklist.archive import Kept
from worklist.dicom.header import InstanceHeader
from worklist.intake.identity import WrongPatient, WrongStudy
from worklist.intake.register import Outcome, Registered, register
from worklist.settings import Settings
from worklist.tables import (
    AuditEvent,
    BodyPart,
    ClinicalPriority,
    Instance,
    ReadingState,
    Result,
    Scope,
    Series,
    Source,
    Study,
)


def by_arrival(_session: Session, received_at: datetime, clinical_priority: str, _uid: str) -> dict[str, int]:
    arrival = clock.milliseconds(received_at)
    return {"rank_key": arrival - (1000 if clinical_priority == "STAT" else 0), "due_key": arrival + 1000}


def received(header: InstanceHeader, kept: Kept | None = None, *, source: Source | None = None) -> Registered:
    with database.transaction() as session:
        return register(session, header, kept or make_kept(), source=source, first_place=by_arrival)


def study_of(registered: Registered) -> Study:
    with database.transaction() as session:
        return session.get_one(Study, registered.study_id)


def instance_of(registered: Registered) -> Instance:
    with database.transaction() as session:
        return session.get_one(Instance, registered.instance_id)


def actions() -> list[str]:
    with database.transaction() as session:
        return list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))


def update_study(study_id: int, **values: Any) -> None:
    with database.transaction() as session:
        study = session.get_one(Study, study_id)
        for column, value in values.items():
            setattr(study, column, value)


def spooled(content: bytes) -> Kept:
    file = archive.Spooled()
    file.write(content)
    return file.keep(clock.now())


@pytest.fixture(autouse=True)
def _fixtures(site: Settings, frozen: Clock, sent_jobs: RecordedJobs) -> None:
    """All of them; the database is the one of the site."""


def test_new_image_stands_in_the_list_and_waits_for_its_analysis(sent_jobs: RecordedJobs) -> None:
    registered = received(make_header(study_description="Wrist ap", accession_number="A-1"))
    study, instance = study_of(registered), instance_of(registered)
    assert registered.outcome is Outcome.NEW
    assert (study.scope, study.body_part, study.result) == (Scope.IN, BodyPart.WRIST, Result.WAITING)
    assert (study.patient_name_folded, study.accession_number, study.description) == (
        "RITA^EXAMPLE",
        "A-1",
        "Wrist ap",
    )
    assert (study.content_version, study.is_complete, study.is_open) == (1, False, True)
    assert study.rank_key == clock.milliseconds(clock.now())
    assert instance.needs_analysis
    assert sent_jobs == [("analyse_instance", instance.id)]
    assert actions() == ["instance.received"]


def test_second_image_of_a_study_joins_its_series(frozen: Clock) -> None:
    first = make_header()
    received(first)
    frozen.advance(seconds=5)
    second = make_header(
        study_instance_uid=first.study_instance_uid, series_instance_uid=first.series_instance_uid
    )
    study = study_of(received(second))
    with database.transaction() as session:
        assert session.scalar(select(func.count(Series.id))) == 1
    assert study.content_version == 2
    assert (study.last_received_at - study.received_at).total_seconds() == 5


def test_resent_instance_changes_nothing_and_is_not_analysed_twice(sent_jobs: RecordedJobs) -> None:
    header = make_header()
    first = received(header, spooled(b"same bytes"))
    again = spooled(b"same bytes")
    second = received(header, again)
    assert second.outcome is Outcome.RESENT
    assert second.instance_id == first.instance_id
    assert study_of(first).content_version == 1
    assert len(sent_jobs) == 1
    assert not archive.has(again.file_path)
    assert archive.has(instance_of(first).file_path)
    assert actions() == ["instance.received", "instance.resent"]


def test_resent_instance_heals_a_file_that_was_lost() -> None:
    header = make_header()
    first = received(header, spooled(b"same bytes"))
    archive.remove(instance_of(first).file_path)
    again = spooled(b"same bytes")
    received(header, again)
    assert instance_of(first).file_path == again.file_path
    assert archive.has(again.file_path)


def test_other_bytes_become_a_new_version_and_a_warning(sent_jobs: RecordedJobs) -> None:
    header = make_header()
    first, second = received(header, make_kept("a" * 64)), received(header, make_kept("b" * 64))
    old, new = instance_of(first), instance_of(second)
    assert second.outcome is Outcome.NEW_VERSION
    assert (old.version, old.is_current, old.needs_analysis) == (1, False, False)
    assert (new.version, new.is_current, new.needs_analysis) == (2, True, True)
    assert old.no_analysis_reason == "Replaced by a later version of the same image."
    assert "sent again with other content" in study_of(second).warning
    assert "instance.conflict" in actions()
    assert sent_jobs.ids(jobs.ANALYSE_INSTANCE) == [old.id, new.id]


def test_older_version_sent_again_is_no_news() -> None:
    header = make_header()
    first = received(header, spooled(b"one"))
    received(header, spooled(b"two"))
    assert received(header, spooled(b"one")).instance_id == first.instance_id
    assert study_of(first).content_version == 2


def test_instance_known_in_another_study_is_refused_and_leaves_no_rows() -> None:
    header = make_header()
    received(header)
    elsewhere = make_header(sop_instance_uid=header.sop_instance_uid)
    with pytest.raises(WrongStudy, match="known already, in another study"):
        received(elsewhere)
    with database.transaction() as session:
        assert session.scalar(select(func.count(Study.id))) == 1


def test_other_patient_in_a_study_is_refused_and_changes_nothing() -> None:
    first = make_header(patient_id="P-1", birth_date="")
    study_id = received(first).study_id
    with pytest.raises(WrongPatient, match="another patient than its study"):
        received(
            make_header(study_instance_uid=first.study_instance_uid, patient_id="P-2", birth_date="19700101")
        )
    with database.transaction() as session:
        study = session.get_one(Study, study_id)
    assert (study.patient_id, study.birth_date, study.warning, study.content_version) == ("P-1", "", "", 1)


def test_other_accession_number_in_a_study_is_warned_of_and_not_taken_over() -> None:
    first = make_header(accession_number="A-1")
    received(first)
    second = make_header(study_instance_uid=first.study_instance_uid, accession_number="A-2")
    study = study_of(received(second))
    assert study.accession_number == "A-1"
    assert study.warning == "The images of this study name different accession numbers."


def test_two_patients_under_one_patient_id_are_warned_of_in_both_studies() -> None:
    rita = received(make_header(patient_id="P-1", birth_date="19700101"))
    same = received(make_header(patient_id="P-1", birth_date="19700101"))
    assert study_of(same).warning == ""
    other = received(make_header(patient_id="P-1", birth_date="19991231"))
    for registered in (rita, same, other):
        warning = study_of(registered).warning
        assert warning == "Another study has this patient ID with another name or birth date."
    assert study_of(received(make_header(patient_id="P-2", birth_date="19991231"))).warning == ""


def test_image_filed_by_an_administrator_is_no_conflict_when_it_is_sent_again() -> None:
    header = make_header()
    received(header)
    kept, elsewhere = make_kept(), make_header(sop_instance_uid=header.sop_instance_uid)
    with database.transaction() as session:
        register(session, elsewhere, kept, source=None, first_place=by_arrival, is_decided=True)
    assert received(elsewhere, kept).outcome is Outcome.RESENT


def test_value_that_the_first_image_lacks_is_filled_in_by_the_second() -> None:
    first = make_header(accession_number="")
    received(first)
    second = make_header(study_instance_uid=first.study_instance_uid, accession_number="A-9")
    assert study_of(received(second)).accession_number == "A-9"


def test_late_image_reopens_a_complete_study() -> None:
    first = make_header()
    study_id = received(first).study_id
    update_study(study_id, is_complete=True, completion_reason="No new image for 60 s.")
    study = study_of(received(make_header(study_instance_uid=first.study_instance_uid)))
    assert (study.is_complete, study.completion_reason, study.content_version) == (False, "", 2)
    assert "study.reopened" in actions()


def test_late_image_of_a_read_study_brings_it_back_with_a_warning() -> None:
    first = make_header()
    study_id = received(first).study_id
    update_study(study_id, reading_state=ReadingState.READ, is_open=False, read_at=clock.now())
    study = study_of(received(make_header(study_instance_uid=first.study_instance_uid)))
    assert (study.reading_state, study.is_open, study.read_at) == (ReadingState.UNREAD, True, None)
    assert study.warning == "An image arrived after this study was read, so it is open again."


def test_structured_report_is_kept_and_listed_but_not_analysed(sent_jobs: RecordedJobs) -> None:
    header = make_header(sop_class_uid=STRUCTURED_REPORT, rows=None, columns=None, modality="SR")
    registered = received(header)
    study, instance = study_of(registered), instance_of(registered)
    assert (study.scope, study.result) == (Scope.OUT, Result.OUT_OF_SCOPE)
    assert study.result_reason == instance.no_analysis_reason
    assert study.result_reason.startswith("Cannot be analysed: a structured report")
    assert not instance.needs_analysis
    assert sent_jobs == []


def test_late_report_does_not_reopen_a_complete_study() -> None:
    first = make_header()
    update_study(received(first).study_id, is_complete=True)
    report = make_header(
        study_instance_uid=first.study_instance_uid, sop_class_uid=STRUCTURED_REPORT, rows=None, columns=None
    )
    study = study_of(received(report))
    assert study.is_complete
    assert study.scope is Scope.IN


def test_one_image_in_scope_puts_the_whole_study_in_scope() -> None:
    chest = make_header(body_part_examined="CHEST")
    registered = received(chest)
    assert study_of(registered).result is Result.OUT_OF_SCOPE
    received(make_header(study_instance_uid=chest.study_instance_uid, body_part_examined="HAND"))
    study = study_of(registered)
    assert (study.scope, study.body_part, study.scope_reason) == (Scope.IN, BodyPart.HAND, "")
    assert (study.result, study.result_reason) == (Result.WAITING, "")


def test_two_body_parts_in_one_study_are_warned_of() -> None:
    first = make_header(body_part_examined="HAND")
    received(first)
    second = make_header(study_instance_uid=first.study_instance_uid, body_part_examined="WRIST")
    assert study_of(received(second)).warning == "Images of HAND and WRIST are in one study."


def test_warning_of_the_header_reaches_the_study() -> None:
    study = study_of(received(make_header(warnings=("The file is shorter than its elements say.",))))
    assert study.warning == "The file is shorter than its elements say."


def test_image_out_of_scope_still_gets_its_display_copy(sent_jobs: RecordedJobs) -> None:
    received(make_header(body_part_examined="CHEST"))
    assert [name for name, _ in sent_jobs] == ["write_display_copy"]


def test_source_gives_body_part_and_clinical_priority() -> None:
    source = Source(
        id=None,
        ae_title="EMERGENCY",
        address="10.0.0.7",
        is_enabled=True,
        default_body_part=BodyPart.ELBOW,
        clinical_priority=ClinicalPriority.STAT,
        first_seen_at=clock.now(),
        last_seen_at=clock.now(),
    )
    with database.transaction() as session:
        session.add(source)
        session.flush()
        registered = register(
            session, make_header(body_part_examined=""), make_kept(), source=source, first_place=by_arrival
        )
    study = study_of(registered)
    assert (study.body_part, study.clinical_priority) == (BodyPart.ELBOW, ClinicalPriority.STAT)
    assert study.rank_key == clock.milliseconds(clock.now()) - 1000
    assert instance_of(registered).source_id == source.id


def test_priority_in_the_header_counts_when_it_is_more_urgent() -> None:
    assert study_of(received(make_header(clinical_priority="STAT"))).clinical_priority is ClinicalPriority.STAT
    odd = study_of(received(make_header(clinical_priority="URGENTISSIMO")))
    assert odd.clinical_priority is ClinicalPriority.ROUTINE


def test_no_job_leaves_when_the_transaction_fails(sent_jobs: RecordedJobs) -> None:
    def register_and_fail() -> None:
        with database.transaction() as session:
            register(session, make_header(), make_kept(), source=None, first_place=by_arrival)
            raise RuntimeError("the power fails")

    with pytest.raises(RuntimeError):
        register_and_fail()
    assert sent_jobs == []


def test_associations_that_bring_one_study_at_once_all_succeed() -> None:
    study_instance_uid, series_instance_uid = new_uid(), new_uid()
    headers = [
        make_header(study_instance_uid=study_instance_uid, series_instance_uid=series_instance_uid)
        for _ in range(8)
    ]
    together = threading.Barrier(len(headers))
    done: list[Registered] = []

    def bring(header: InstanceHeader) -> None:
        together.wait(10)
        done.append(received(header))

    threads = [threading.Thread(target=bring, args=(header,)) for header in headers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len({registered.instance_id for registered in done}) == len(headers)
    assert len({registered.study_id for registered in done}) == 1
    assert study_of(done[0]).content_version == len(headers)
