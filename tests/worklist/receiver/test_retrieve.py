"""C-MOVE and C-GET with DCMTK: the very bytes arrive, and what cannot be sent is counted and listed."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless
from pynetdicom import AE, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as MOVE

from tests.ports import free_port
from tests.worklist.datasets import DIGITAL_X_RAY, make_radiograph, write
from tests.worklist.receiver.dcmtk import Destination, keys, run
from tests.worklist.receiver.modality import Site
from worklist import database, settings
from worklist.intake import sources
from worklist.receiver.statuses import Status

SERIES = {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.1.1"}


@pytest.fixture
def held(receiving: Site, tmp_path: Path) -> Site:
    """One study of two series, three images in all, and one of another study."""
    for number, series in enumerate(("1.2.1.1", "1.2.1.1", "1.2.1.2")):
        path = tmp_path / f"sent{number}.dcm"
        write(
            make_radiograph(**{**SERIES, "SeriesInstanceUID": series, "SOPInstanceUID": f"1.9.{number}"}), path
        )
        assert receiving.storescu(path, options=("-xe",)).returncode == 0
    receiving.store(make_radiograph())
    return receiving


@pytest.fixture
def destination(held: Site, tmp_path: Path) -> Iterator[Destination]:
    """A running storescp, known as a source with its port."""
    running = Destination(tmp_path / "destination")
    known("DESTINATION", running.port)
    yield running
    running.stop()


def known(ae_title: str, port: int) -> None:
    with database.transaction() as session:
        sources.add(session, ae_title, "127.0.0.1", port=port, who="test")


def content(path: Path) -> bytes:
    """Return the data set of a file, without the file meta information that each receiver writes anew."""
    raw = path.read_bytes()
    return raw[raw.index(b"\x08\x00\x05\x00") :]


def movescu(held: Site, level: str, **values: str) -> str:
    return run("movescu", held.port, "-S", "-aem", "DESTINATION", *keys(level, **values))


@pytest.mark.parametrize(
    ("level", "values", "count"),
    [
        ("STUDY", {"StudyInstanceUID": "1.2.1"}, 3),
        ("SERIES", SERIES, 2),
        ("IMAGE", {**SERIES, "SOPInstanceUID": "1.9.1"}, 1),
        ("STUDY", {"StudyInstanceUID": "9.9"}, 0),
    ],
)
def test_move_sends_the_very_bytes(
    held: Site, destination: Destination, level: str, values: dict[str, str], count: int
) -> None:
    assert "Received Final Move Response (Success)" in movescu(held, level, **values)
    arrived = {content(path) for path in destination.files()}
    assert len(arrived) == count
    assert arrived <= {content(path) for path in held.files()}


def test_get_sends_the_very_bytes_on_the_same_association(held: Site, tmp_path: Path) -> None:
    folder = tmp_path / "got"
    folder.mkdir()
    said = run("getscu", held.port, "-S", "+B", "-od", str(folder), *keys("STUDY", StudyInstanceUID="1.2.1"))
    assert "Final" in said or "Success" in said, said
    arrived = {content(path) for path in folder.iterdir()}
    assert len(arrived) == 3
    assert arrived <= {content(path) for path in held.files()}
    assert held.events("images.retrieved")[0].detail["sent"] == 3


def test_large_image_arrives_whole(held: Site, destination: Destination) -> None:
    large = make_radiograph(
        **SERIES, SOPInstanceUID="1.9.9", Rows=4000, Columns=4000, PixelData=bytes(32_000_000)
    )
    held.store(large)
    assert "(Success)" in movescu(held, "IMAGE", **SERIES, SOPInstanceUID="1.9.9")
    assert destination.files()[0].stat().st_size > 32_000_000


@pytest.mark.parametrize(("option", "count"), [("+xv", 4), ("+x=", 3)])
def test_compressed_image_goes_as_it_is_or_not_at_all(
    held: Site, tmp_path: Path, option: str, count: int
) -> None:
    dataset = make_radiograph(**SERIES, SOPInstanceUID="1.9.8", PixelData=encapsulate([b"no real code stream"]))
    dataset["PixelData"].VR = "OB"
    sent = write(dataset, tmp_path / "compressed.dcm", JPEG2000Lossless)
    assert held.storescu(sent, options=("-xv",)).returncode == 0
    running = Destination(tmp_path / "destination", option)
    known("DESTINATION", running.port)
    (answer, identifier) = move(held)[-1]
    running.stop()
    assert len(running.files()) == count
    assert answer.Status == (Status.SUCCESS if count == 4 else Status.SOME_FAILED)
    assert (identifier.FailedSOPInstanceUIDList if identifier else None) == (None if count == 4 else "1.9.8")


def move(held: Site, **values: Any) -> list[tuple[Dataset, Dataset | None]]:
    """Move with pynetdicom, which shows each answer."""
    identifier = Dataset()
    for keyword, value in {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1.2.1", **values}.items():
        setattr(identifier, keyword, value)
    with held.association(MOVE) as association:
        return list(association.send_c_move(identifier, "DESTINATION", MOVE))


def test_each_image_is_counted(held: Site, destination: Destination) -> None:
    answers = [answer for answer, _ in move(held)]
    assert [answer.Status for answer in answers] == [Status.PENDING, Status.PENDING, Status.SUCCESS]
    assert [answer.get("NumberOfRemainingSuboperations") for answer in answers] == [2, 1, None]
    assert [answer.NumberOfCompletedSuboperations for answer in answers] == [1, 2, 3]


def test_missing_file_is_listed_and_the_others_are_sent(held: Site, destination: Destination) -> None:
    row = next(row for row in held.instances() if row.sop_instance_uid == "1.9.1")
    (settings.current().archive_folder / row.file_path).unlink()
    answer, identifier = move(held)[-1]
    assert (answer.Status, answer.NumberOfFailedSuboperations) == (Status.SOME_FAILED, 1)
    assert identifier is not None
    assert identifier.FailedSOPInstanceUIDList == "1.9.1"
    assert len(destination.files()) == 2


def test_destination_that_is_away_fails_all(held: Site) -> None:
    known("DESTINATION", free_port())
    answer, identifier = move(held)[-1]
    assert (answer.Status, answer.NumberOfFailedSuboperations) == (Status.SUB_OPERATIONS_IMPOSSIBLE, 3)
    assert identifier is not None
    assert len(identifier.FailedSOPInstanceUIDList) == 3


def test_destination_without_a_port_is_unknown(held: Site) -> None:
    (answer, _) = move(held)[-1]
    assert answer.Status == Status.DESTINATION_UNKNOWN
    assert "is no source with a port" in answer.ErrorComment


def test_retrieval_that_names_nothing_does_not_match_the_class(held: Site, destination: Destination) -> None:
    assert move(held, StudyInstanceUID="")[-1][0].Status == Status.DOES_NOT_MATCH


def test_cancelled_move_stops(held: Site) -> None:
    taken: list[str] = []

    def on_store(event: Any) -> int:
        taken.append(event.request.AffectedSOPInstanceUID)
        time.sleep(0.5)
        return 0x0000

    entity = AE(ae_title="DESTINATION")
    entity.add_supported_context(DIGITAL_X_RAY)
    server = entity.start_server(
        ("127.0.0.1", free_port()), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store)]
    )
    known("DESTINATION", server.server_address[1])
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", "1.2.1"
    statuses = []
    with held.association(MOVE) as association:
        for answer, _ in association.send_c_move(identifier, "DESTINATION", MOVE, msg_id=9):
            if not statuses:
                association.send_c_cancel(9, query_model=MOVE)
            statuses.append(answer.Status)
    server.shutdown()
    assert statuses[-1] == Status.CANCELLED
    assert len(taken) < 3


def test_association_goes_on_after_a_retrieval(held: Site, destination: Destination) -> None:
    with held.association(MOVE, DIGITAL_X_RAY) as association:
        identifier = Dataset()
        identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", "1.2.1"
        for _ in range(2):
            assert (
                list(association.send_c_move(identifier, "DESTINATION", MOVE))[-1][0].Status == Status.SUCCESS
            )
        assert association.send_c_store(make_radiograph()).Status == Status.SUCCESS


def test_destination_sees_who_asked(held: Site, destination: Destination) -> None:
    move(held)
    (event,) = held.events("images.retrieved")
    assert (event.who, event.detail) == ("MODALITY", {"to": "DESTINATION", "sent": 3, "failed": 0})
    assert dcmread(destination.files()[0], force=True).SOPClassUID == DIGITAL_X_RAY
