"""The data of a training run: split by patient, the same each time."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.factories import make_instance, make_study, make_user
from tests.worklist.classifiers.test_labels import say
from worklist import clock
from worklist.classifiers import snapshots
from worklist.dataset.snapshot import Role, SnapshotImage, write_snapshot
from worklist.dataset.synthesis import synthesize
from worklist.errors import Invalid
from worklist.tables import BodyPart, Mark, MarkKind, Opinion


@pytest.fixture
def reader(session):
    return make_user(session)


def image(name, *, role=Role.FIT, is_abnormal=False, patient=None, study=None):
    return SnapshotImage(
        path=Path(name),
        name=name,
        body_part=BodyPart.WRIST,
        patient=patient or name,
        study=study or name,
        is_abnormal=is_abnormal,
        role=role,
    )


def mark(session, verdict, instance, rectangle, *, kind=MarkKind.CROP):
    top, left, height, width = rectangle
    session.add(
        Mark(
            verdict_id=verdict.id,
            instance_id=instance.id,
            kind=kind,
            top=top,
            left=left,
            height=height,
            width=width,
        )
    )
    session.flush()


def complete():
    return [image(f"{role}{label}", role=role, is_abnormal=label) for role in Role for label in (False, True)]


def test_each_analysable_image_of_a_labelled_study_is_in_it(session, reader, site):
    study = make_study(session, images=2)
    make_instance(session, study.series[0], no_analysis_reason="It is no radiograph.", needs_analysis=False)
    make_instance(session, study.series[0], is_current=False)
    say(session, study, reader, Opinion.ABNORMAL)
    say(session, make_study(session), reader, Opinion.UNSURE)
    found = snapshots.from_verdicts(session)
    assert len(found) == 2
    assert {one.is_abnormal for one in found} == {True}
    assert all(one.path.is_relative_to(site.archive_folder) for one in found)


def test_newest_crop_that_stands_goes_with_its_image(session, reader):
    study = make_study(session, images=0)
    first, second = (make_instance(session, study.series[0]) for _ in range(2))
    corrected = say(session, study, reader, Opinion.ABNORMAL)
    mark(session, corrected, first, (1, 2, 40, 50))
    mark(session, corrected, second, (9, 9, 40, 40))
    standing = say(session, study, reader, Opinion.ABNORMAL, replaces_id=corrected.id)
    mark(session, standing, first, (3, 4, 50, 60))
    mark(session, standing, second, (0, 0, 5, 5), kind=MarkKind.BOX)
    colleague = say(session, study, make_user(session, "otto"), Opinion.ABNORMAL)
    mark(session, colleague, first, (5, 6, 70, 80))
    taken_back = say(session, study, reader, Opinion.NORMAL, retracted_at=clock.now())
    mark(session, taken_back, first, (7, 7, 77, 77))
    assert {one.name[-len(str(first.id)) :]: one.crop for one in snapshots.from_verdicts(session)} == {
        str(first.id): (5, 6, 70, 80),
        str(second.id): None,
    }


def test_the_same_verdicts_give_the_same_file(session, reader, tmp_path):
    for number in range(20):
        say(session, make_study(session), reader, (Opinion.NORMAL, Opinion.ABNORMAL)[number % 2])
    first, second = (write_snapshot(tmp_path / name, snapshots.from_verdicts(session)) for name in "ab")
    assert first == second


def test_all_studies_of_a_patient_have_one_role_and_the_shares_are_kept(session, reader):
    for number in range(400):
        say(session, make_study(session, patient_id=f"SYN-{number // 2}"), reader, Opinion.NORMAL)
    roles = {}
    for one in snapshots.from_verdicts(session):
        roles.setdefault(one.patient, set()).add(one.role)
    assert all(len(found) == 1 for found in roles.values())
    shares = [sum(found == {role} for found in roles.values()) / len(roles) for role in Role]
    assert shares == pytest.approx([0.70, 0.15, 0.15], abs=0.07)


def test_a_folder_keeps_its_split_and_a_tenth_of_its_training_patients_choose(tmp_path):
    synthesize(tmp_path / "MURA-v1.1", patients=90, longest_px=48)
    found = snapshots.from_folder(tmp_path, lambda *_: None)
    by_folder = {part: {one.role for one in found if f"/{part}/" in one.name} for part in ("train", "valid")}
    assert by_folder == {"train": {Role.FIT, Role.TUNE}, "valid": {Role.TEST}}


def test_a_patient_who_measures_in_one_source_teaches_in_none():
    shared = image("x", role=Role.TEST, patient="both")
    images = snapshots.joined(complete(), [image("y", patient="both"), shared])
    assert {one.role for one in images if one.patient == "both"} == {Role.TEST}


@pytest.mark.parametrize(
    ("role", "is_abnormal", "told"),
    [
        (Role.FIT, True, "no abnormal study to learn from"),
        (Role.TUNE, False, "no normal study to choose with"),
        (Role.TEST, True, "no abnormal study to measure on"),
    ],
)
def test_data_that_cannot_do_is_refused_in_words(role, is_abnormal, told):
    images = [one for one in complete() if (one.role, one.is_abnormal) != (role, is_abnormal)]
    with pytest.raises(Invalid, match=told):
        snapshots.joined(images)


def test_studies_are_counted_not_images():
    twice = replace(complete()[0], name="again")
    assert snapshots.counts([*complete(), twice])["fit"] == {"WRIST": {"abnormal": 1, "normal": 1}}
