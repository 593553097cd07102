"""Greys, description and heat map of one image, for the viewer.

Pixels may be kept by the browser, but it must ask before it shows them again (``no-cache``): whoever has signed
out sees nothing, and a study that is opened again comes without its 6 MB. All else is never stored.
"""

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import zstandard
from flask import Blueprint, Response, abort, jsonify, request
from flask.typing import ResponseReturnValue

from web import security
from worklist import database
from worklist.dicom.display_copy import description_path, pixels_path
from worklist.errors import Invalid, NotFound
from worklist.reading import first_opinion
from worklist.tables import User
from worklist.triage import image_detail
from worklist.triage.display import ensure_display_copy

bp = Blueprint("pixels", __name__, url_prefix="/instances/<int:instance_id>")

GZIP_LEVEL = 1  # Made for each request of a browser that knows no zstd; higher levels cost seconds.


@bp.get("/display.json")
@security.role(*security.VIEWERS)
def display(instance_id: int) -> ResponseReturnValue:
    """Describe the image: size, window, spacing, notes."""
    return Response(description_path(_copy(instance_id)).read_bytes(), mimetype="application/json")


@bp.get("/pixels")
@security.role(*security.VIEWERS)
def pixels(instance_id: int) -> ResponseReturnValue:
    """Send the greys, little-endian uint16 row by row, in an encoding that the browser knows."""
    copy = _copy(instance_id)
    encoding = request.accept_encodings.best_match(["zstd", "gzip", "identity"]) or "identity"
    tag = f"{copy.name}-{encoding}"
    response = Response(mimetype="application/octet-stream")
    response.set_etag(tag)
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Accept-Encoding, Cookie"
    if request.if_none_match.contains(tag):
        response.status_code = 304
        return response
    response.data = ENCODERS[encoding](pixels_path(copy))
    if encoding != "identity":
        response.headers["Content-Encoding"] = encoding
    return response


@bp.get("/heat-map.json")
@security.role(*security.VIEWERS)
def heat_map(instance_id: int) -> ResponseReturnValue:
    """Send the numbers of the heat map, or why there is none."""
    with database.reading() as session:
        found = image_detail.heat_map(session, instance_id)
        user = session.get_one(User, security.person().id)
        if first_opinion.is_hidden(session, image_detail.study_of(session, instance_id), user):
            abort(403, "What the classifier says is hidden until your first opinion.")
    return jsonify(asdict(found))


def _copy(instance_id: int) -> Path:
    with database.reading() as session:
        file_path = image_detail.image_file(session, instance_id)
    with reasons():
        return ensure_display_copy(instance_id, file_path)


@contextmanager
def reasons() -> Iterator[None]:
    """Say why an image is not shown as the end of a sentence, which the page begins."""
    try:
        yield
    except Invalid as error:
        raise Invalid(f"{str(error).removeprefix('cannot be analysed: ')}.") from error
    except NotFound as error:
        raise NotFound("its file is missing in the archive.") from error


def _plain(path: Path) -> bytes:
    return zstandard.ZstdDecompressor().decompress(path.read_bytes())


ENCODERS: dict[str, Callable[[Path], bytes]] = {
    "zstd": Path.read_bytes,
    "gzip": lambda path: gzip.compress(_plain(path), GZIP_LEVEL),
    "identity": _plain,
}
