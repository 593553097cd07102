"""The small picture of a held back image: who sees it, what is noted, what the browser may keep."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from tests.conftest import RecordedJobs
from tests.web.administration import hold_images
from tests.web.conftest import Visitor
from worklist import archive, database
from worklist.tables import AuditEvent, Quarantined

SignIn = Callable[[str], Visitor]
SCRIPT = {"Accept": "application/json"}


@pytest.fixture
def held(people: None, sent_jobs: RecordedJobs) -> list[int]:
    """An image with pixels, and one without."""
    return hold_images("CR-ROOM1", "10.0.0.7")


@pytest.fixture
def adam(sign_in: SignIn) -> Visitor:
    """Adam has signed in."""
    return sign_in("adam")


def address(quarantined_id: int) -> str:
    return f"/admin/quarantine/{quarantined_id}/picture"


def seen() -> list[tuple[str, str | None, int | None]]:
    with database.reading() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.action == "quarantine.seen"))
        return [(event.who, event.about_type, event.about_id) for event in events]


def test_picture_shows_what_a_reader_would_see(adam: Visitor, held: list[int]) -> None:
    answer = adam.get(address(held[0]))
    assert (answer.status_code, answer.mimetype) == (200, "image/png")
    picture = np.asarray(Image.open(BytesIO(answer.data)))
    assert picture.shape == (480, 320)
    row = picture[100].astype(int)
    assert (np.diff(row) >= 0).all()
    assert (row[0] < 5, row[-1] > 250) == (True, True)


def test_page_asks_for_a_picture_of_each_without_naming_a_patient(adam: Visitor, held: list[int]) -> None:
    page = adam.get("/admin/quarantine").text
    for quarantined_id in held:
        assert f'src="{address(quarantined_id)}"' in page
    assert seen() == []


@pytest.mark.parametrize("username", ["rita", "lena", "aude"])
def test_nobody_else_sees_it(sign_in: SignIn, held: list[int], username: str) -> None:
    assert sign_in(username).get(address(held[0])).status_code == 403
    assert seen() == []


def test_whoever_sees_it_is_noted(adam: Visitor, held: list[int]) -> None:
    adam.get(address(held[0]))
    assert seen() == [("adam", "quarantined", held[0])]


def test_browser_may_keep_it_but_asks_each_time(adam: Visitor, held: list[int]) -> None:
    first = adam.get(address(held[0]))
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert first.headers["Vary"] == "Cookie"
    again = adam.get(address(held[0]), headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert len(seen()) == 2


def test_image_without_readable_pixels_is_answered_with_the_reason(adam: Visitor, held: list[int]) -> None:
    answer = adam.get(address(held[1]), headers=SCRIPT)
    assert answer.status_code == 422
    assert answer.json == {"error": "Bits Allocated (0028,0100) is None, not 8 or 16."}
    assert answer.headers["Cache-Control"] == "no-store"
    assert seen() == []


def test_file_that_is_gone_is_answered_without_its_path(adam: Visitor, held: list[int]) -> None:
    with database.reading() as session:
        archive.path_of(session.get_one(Quarantined, held[0]).file_path).unlink()
    answer = adam.get(address(held[0]), headers=SCRIPT)
    assert (answer.status_code, answer.json) == (404, {"error": "its file is missing in the archive."})


def test_file_that_was_never_held_back_is_not_found(adam: Visitor) -> None:
    assert adam.get(address(4711), headers=SCRIPT).status_code == 404
