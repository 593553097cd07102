"""The administrator's page of files that contradict what is known: side by side, with what can be done."""

from dataclasses import dataclass

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from web import pixels, security
from web.administration import administrators_only
from web.shown import person_name
from web.study import date_words
from worklist import audit, database
from worklist.dicom.display_copy import FORMAT_VERSION
from worklist.intake import decisions, held_files
from worklist.intake.held_files import HeldFile
from worklist.intake.identity import SetAside
from worklist.receiver import ownership
from worklist.tables import Quarantined, QuarantineKind, Resolution, Study
from worklist.triage.display import preview
from worklist.triage.policy import first_place

bp = Blueprint("quarantine", __name__, url_prefix="/admin/quarantine")

MOST_SHOWN = 50
MOST_DECIDED = 30

# Title, what it means, what filing is called, and what filing does.
KINDS = {
    QuarantineKind.OTHER_PATIENT: (
        "Names another patient than its study",
        "The image says that it belongs to a study in the list, and names another patient. Mostly the wrong "
        "entry was chosen at the modality.",
        "File it in the study",
        "Right if the image is of the patient of the study and only its data are wrong. The study keeps its "
        "patient, and readers are warned.",
    ),
    QuarantineKind.OTHER_STUDY: (
        "Is known in another study",
        "An image with the same UID stands in another study. Either it was moved to a new study at the "
        "modality or in the PACS, or the modality gives UIDs twice.",
        "File it in the study it names",
        "Right if it belongs there. The other study keeps its image too, and readers of both are warned.",
    ),
    QuarantineKind.UNREADABLE: (
        "Cannot be understood",
        "The file lay in the archive without having been registered, and it is no image that can be read.",
        "",
        "",
    ),
}
RESOLUTIONS = {
    Resolution.FILED: "Filed in its study",
    Resolution.FITS: "Filed: nothing contradicted any more",
    Resolution.DISCARDED: "Discarded, the file is kept",
}


@dataclass(frozen=True)
class Compared:
    """One attribute in the file and in the studies beside it, in words."""

    name: str
    values: tuple[str, ...]
    is_different: bool


@dataclass(frozen=True)
class Shown:
    """A file beside the studies it is compared with, each with its heading."""

    held: HeldFile
    studies: tuple[tuple[str, Study], ...]
    compared: tuple[Compared, ...]


@bp.get("")
@administrators_only
def page() -> ResponseReturnValue:
    """Show what waits for a decision, and what was decided lately."""
    with database.reading() as session:
        waiting = held_files.held_files(session, limit=MOST_SHOWN)
        decided = held_files.decided_lately(session, limit=MOST_DECIDED)
        count = held_files.open_count(session)
    return render_template(
        "quarantine/page.html",
        shown=[beside(held) for held in waiting],
        decided=decided,
        count=count,
        kinds=KINDS,
        resolutions=RESOLUTIONS,
    )


@bp.post("/<int:quarantined_id>/file")
@administrators_only
def file(quarantined_id: int) -> ResponseReturnValue:
    """File an image in the study it names, although it contradicts."""
    with database.transaction() as session:
        registered = decisions.file_in_study(
            session,
            quarantined_id,
            who=security.person().username,
            note=request.form.get("note", ""),
            first_place=first_place,
            owner=ownership.own_name(),
        )
    flash(f"Filed in study {registered.study_id}. Its readers are warned of what contradicts.")
    return redirect(url_for(".page"), 303)


@bp.post("/<int:quarantined_id>/check")
@administrators_only
def check(quarantined_id: int) -> ResponseReturnValue:
    """File an image if nothing contradicts any more; say what does otherwise."""
    try:
        with database.transaction() as session:
            decisions.check_again(
                session,
                quarantined_id,
                who=security.person().username,
                first_place=first_place,
                owner=ownership.own_name(),
            )
        flash("Nothing contradicts any more: it is filed in its study.")
    except SetAside as why:
        with database.transaction() as session:
            decisions.still_held(session, quarantined_id, why)
        flash(f"Checked, and still held back: {KINDS[why.kind][0].lower()}.")
    return redirect(url_for(".page"), 303)


@bp.post("/<int:quarantined_id>/discard")
@administrators_only
def discard(quarantined_id: int) -> ResponseReturnValue:
    """Decide that an image is not wanted."""
    note = request.form.get("note", "")
    with database.transaction() as session:
        decisions.discard(session, quarantined_id, who=security.person().username, note=note)
    flash("Discarded. The file is kept, and can be taken up again below.")
    return redirect(url_for(".page"), 303)


@bp.post("/<int:quarantined_id>/reopen")
@administrators_only
def reopen(quarantined_id: int) -> ResponseReturnValue:
    """Take up again what was discarded."""
    with database.transaction() as session:
        decisions.reopen(session, quarantined_id, who=security.person().username)
    flash("Taken up again.")
    return redirect(url_for(".page"), 303)


@bp.get("/<int:quarantined_id>/picture")
@administrators_only
def picture(quarantined_id: int) -> ResponseReturnValue:
    """Send a small picture of an image, and note who sees it."""
    with database.reading() as session:
        row = held_files.held_file(session, quarantined_id)
    response = Response(mimetype="image/png")
    tag = f"{row.sha256}-{FORMAT_VERSION}"
    response.set_etag(tag)
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Cookie"
    if not request.if_none_match.contains(tag):
        with pixels.reasons():
            response.data = preview(row.file_path)
    with database.transaction() as session:
        audit.record(session, security.person().username, "quarantine.seen", about=("quarantined", row.id))
    return response.make_conditional(request)


def beside(held: HeldFile) -> Shown:
    """Put a file beside the study it contradicts and the one it names."""
    studies = []
    if held.contradicted is not None:
        is_named = held.contradicted is held.named
        heading = "Its study in the list" if is_named else "The study that has this image"
        studies.append((heading, held.contradicted))
    if held.named is not None and held.named is not held.contradicted:
        studies.append(("The study it names", held.named))
    return Shown(held, tuple(studies), _compared(held.file, [study for _, study in studies]))


def _compared(file: Quarantined, studies: list[Study]) -> tuple[Compared, ...]:
    found = []
    for name, column, words in ATTRIBUTES:
        raw = [getattr(one, column) for one in (file, *studies)]
        values = tuple(words(value) or value or "–" for value in raw)
        is_different = any(value and raw[0] and value != raw[0] for value in raw[1:])
        found.append(Compared(name, values, is_different))
    return tuple(found)


def _as_it_is(value: str) -> str:
    return value


def _sex(value: str) -> str:
    return {"F": "Female", "M": "Male", "O": "Other"}.get(value, value)


def _name(value: str) -> str:
    return person_name(value) if value else ""


ATTRIBUTES = (
    ("Patient ID", "patient_id", _as_it_is),
    ("Name", "patient_name", _name),
    ("Born", "birth_date", date_words),
    ("Sex", "sex", _sex),
    ("Accession number", "accession_number", _as_it_is),
    ("Study date", "study_date", date_words),
    ("Description", "description", _as_it_is),
    ("Study UID", "study_instance_uid", _as_it_is),
)
