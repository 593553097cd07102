"""What readers are told of images that are held back."""

import pytest
from sqlalchemy.orm import Session

from tests.factories import make_study
from worklist import clock
from worklist.tables import Quarantined, QuarantineKind, QuarantineState, Resolution, Study
from worklist.triage.held_back import warning_with
from worklist.triage.list_query import Filters
from worklist.triage.ranked_list import ranked_page
from worklist.triage.study_detail import study_detail


def hold(
    session: Session, number: int, kind: QuarantineKind, *, uid: str, study: Study, **values: object
) -> None:
    session.add(
        Quarantined(
            sha256=f"{number:064}",
            file_path=f"quarantine/{number}.dcm",
            file_bytes=1,
            kind=kind,
            study_instance_uid=uid,
            study_id=study.id,
            received_at=clock.now(),
            last_received_at=clock.now(),
            **values,
        )
    )
    session.flush()


def warnings(session: Session) -> dict[int, str]:
    """Return the warning of each study in the list; its page says the same."""
    rows = ranked_page(session, Filters()).rows
    assert all(study_detail(session, row.study_id).warning == row.warning for row in rows)
    return {row.study_id: row.warning for row in rows}


def test_study_says_how_many_of_its_images_are_held_back(session: Session) -> None:
    study, other = make_study(session, warning="Late."), make_study(session)
    for number in range(2):
        uid = study.study_instance_uid
        hold(session, number, QuarantineKind.OTHER_PATIENT, uid=uid, study=study)
    assert warnings(session) == {
        study.id: "2 images are held back until an administrator has decided on them. Late.",
        other.id: "",
    }


def test_study_with_a_doubtful_image_and_the_one_that_lacks_it_both_say_so(session: Session) -> None:
    has_it, lacks_it = make_study(session), make_study(session)
    hold(session, 1, QuarantineKind.OTHER_STUDY, uid=lacks_it.study_instance_uid, study=has_it)
    assert warnings(session) == {
        has_it.id: "An image of this study was sent for another study too: an administrator decides.",
        lacks_it.id: "1 image is held back until an administrator has decided where it belongs.",
    }


def test_what_is_decided_is_not_held_back_any_more(session: Session) -> None:
    study = make_study(session)
    decided = {"state": QuarantineState.RESOLVED, "resolution": Resolution.DISCARDED}
    hold(session, 1, QuarantineKind.OTHER_PATIENT, uid=study.study_instance_uid, study=study, **decided)
    assert warnings(session) == {study.id: ""}


@pytest.mark.parametrize("counts", [(0, 0), (1, 0), (3, 1)])
def test_warnings_of_the_study_stay(counts: tuple[int, int]) -> None:
    assert warning_with(*counts, "Late.").endswith("Late.")
