"""Greys, description and heat map over HTTP."""

import gzip
from collections.abc import Callable

import numpy as np
import pytest
import zstandard
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.factories import make_classifier
from tests.web.conftest import Visitor
from tests.web.study_browser.radiographs import add_study
from worklist import archive, database, settings
from worklist.dicom.pixels import displayed_greys
from worklist.tables import Analysis, Instance, Series, Study

DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body),
    "gzip": gzip.decompress,
    "identity": lambda body: body,
}


@pytest.fixture
def instance(people: None) -> Instance:
    """The only image of an analysed study."""
    with database.transaction() as session:
        study = add_study(session, make_classifier(session), seed=1, probability=0.9)
        return session.scalars(select(Instance).join(Series).where(Series.study_id == study.id)).one()


@pytest.mark.parametrize("encoding", ["zstd", "gzip", "identity"])
def test_the_pixels_are_the_greys_that_the_classifier_sees(
    rita: Visitor, instance: Instance, encoding: str
) -> None:
    answer = rita.get(f"/instances/{instance.id}/pixels", headers={"Accept-Encoding": encoding})
    assert answer.headers.get("Content-Encoding", "identity") == encoding
    greys = np.frombuffer(DECODERS[encoding](answer.data), "<u2").reshape(250, 200)
    np.testing.assert_array_equal(greys, displayed_greys(archive.path_of(instance.file_path)).greys)


def test_pixels_that_the_browser_has_are_not_sent_again_but_asked_for(
    rita: Visitor, instance: Instance
) -> None:
    address = f"/instances/{instance.id}/pixels"
    first = rita.get(address, headers={"Accept-Encoding": "zstd"})
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = rita.get(address, headers={"Accept-Encoding": "zstd", "If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    other = rita.get(address, headers={"Accept-Encoding": "gzip", "If-None-Match": first.headers["ETag"]})
    assert other.status_code == 200


def test_the_description_says_how_to_show_the_greys(rita: Visitor, instance: Instance) -> None:
    answer = rita.get(f"/instances/{instance.id}/display.json")
    assert answer.json is not None
    assert (answer.json["rows"], answer.json["columns"]) == (250, 200)
    assert answer.json["window_width"] > 1
    assert answer.json["minimum"] < answer.json["maximum"]
    assert answer.json["spacing_kind"] in {"calibrated", "detector"}
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_copy_on_disk_is_used_and_made_again_when_deleted(rita: Visitor, instance: Instance) -> None:
    address = f"/instances/{instance.id}/pixels"
    body = rita.get(address).data
    folder = settings.current().cache_folder / "display"
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 2
    for path in folder.iterdir():
        path.unlink()
    assert rita.get(address).data == body
    assert sorted(path.name for path in folder.iterdir()) == names


def test_the_heat_map_is_numbers_over_the_crop(rita: Visitor, instance: Instance) -> None:
    answer = rita.get(f"/instances/{instance.id}/heat-map.json").json
    assert answer is not None
    assert (answer["rows"], answer["columns"], len(answer["values"])) == (7, 7, 49)
    assert max(answer["values"]) == answer["values"][3 * 7 + 4] == 1
    assert answer["crop"] == {"top": 25, "left": 25, "height": 200, "width": 150}
    assert (answer["explained_class"], answer["reason"]) == ("abnormal", None)


def test_an_image_without_evidence_says_so_instead_of_a_heat_map(rita: Visitor, instance: Instance) -> None:
    with database.transaction() as session:
        found = session.scalars(select(Analysis)).one()
        found.heat_map = found.heat_map_rows = found.heat_map_columns = None
    answer = rita.get(f"/instances/{instance.id}/heat-map.json").json
    assert answer is not None
    assert answer["values"] is None
    assert answer["reason"] == "No evidence for abnormal in this image."


def test_an_image_that_was_not_analysed_says_why(rita: Visitor, people: None) -> None:
    with database.transaction() as session:
        study: Study = add_study(session, None, seed=2)
        instance_id = session.scalars(select(Instance.id).join(Series).where(Series.study_id == study.id)).one()
    answer = rita.get(f"/instances/{instance_id}/heat-map.json").json
    assert answer is not None
    assert answer["reason"] == "Waits for its analysis."


@pytest.mark.parametrize("part", ["pixels", "display.json"])
def test_an_image_that_cannot_be_decoded_is_answered_with_the_reason(
    rita: Visitor, instance: Instance, part: str
) -> None:
    file = archive.path_of(instance.file_path)
    file.write_bytes(file.read_bytes()[:2000])
    answer = rita.get(f"/instances/{instance.id}/{part}", headers={"Accept": "application/json"})
    assert answer.status_code == 422
    assert answer.get_json()["error"].endswith(".")
    assert "cannot be analysed" not in answer.get_json()["error"]


def test_a_file_that_is_gone_is_answered_without_its_path(rita: Visitor, instance: Instance) -> None:
    archive.path_of(instance.file_path).unlink()
    answer = rita.get(f"/instances/{instance.id}/pixels", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json) == (404, {"error": "its file is missing in the archive."})


@pytest.mark.parametrize("part", ["pixels", "display.json", "heat-map.json"])
def test_an_image_that_does_not_exist_is_not_found(rita: Visitor, part: str) -> None:
    assert rita.get(f"/instances/4711/{part}").status_code == 404


@pytest.mark.parametrize("part", ["pixels", "display.json", "heat-map.json"])
def test_nobody_sees_images_without_signing_in(client: FlaskClient, instance: Instance, part: str) -> None:
    answer = client.get(f"/instances/{instance.id}/{part}", headers={"Accept": "application/json"})
    assert answer.status_code == 401


def test_an_auditor_sees_no_images(sign_in: Callable[[str], Visitor], instance: Instance) -> None:
    assert sign_in("aude").get(f"/instances/{instance.id}/pixels").status_code == 403
