"""What the study page shows, and what its form sends."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from flask import request
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from web import security
from web.worklist_page import filters_from, query_of
from worklist import clock
from worklist.errors import Invalid
from worklist.reading import claims, first_opinion, turns, verdicts
from worklist.reading.first_opinion import READERS
from worklist.reading.judgement import DrawnMark, Judgement, findings
from worklist.reading.verdicts import PastVerdict, Seen, Undoable
from worklist.tables import Finding, HeatMapPlace, MarkKind, Opinion, ReadingState, Result, Role, Study, User
from worklist.triage import ranked_list
from worklist.triage.priors import Prior, priors
from worklist.triage.study_detail import StudyDetail, image_ids, study_detail

# What the page says in place of a probability: icon and words.
NO_SCORE = {
    Result.WAITING: ("waiting", "Not scored yet"),
    Result.FAILED: ("failed", "No score: the analysis failed"),
    Result.OUT_OF_SCOPE: ("scope", "No score: out of scope"),
    Result.NO_CLASSIFIER: ("warning", "No score: no classifier"),
    Result.SCORED: ("warning", "No score"),
}


class Mode(StrEnum):
    """What this person can do on the page."""

    READING = "reading"
    HELD = "held"
    READ = "read"
    LOOKING = "looking"


@dataclass(frozen=True)
class Shown:
    """One study as one person sees it.

    Attributes
    ----------
    obstacle : str
        Why the person cannot judge the study now; empty if they can.
    place : dict
        Filters and page of the list that the person came from, as an address carries them.
    until : datetime or None
        When the person's own claim ends unless it is renewed.
    next_images : list of int
        The images of the study that is likely next, to be loaded ahead.
    priors : list of Prior
        Other studies of the patient.
    is_hidden : bool
        What the classifier says is not shown, since the reader has given no first opinion (anti-bias mode).
    holder : bool
        Somebody has the study open.
    is_concealed : bool
        There is a control arm, and whether the study belongs to it is not shown before it is read.
    """

    mode: Mode
    study: StudyDetail
    obstacle: str
    history: Sequence[PastVerdict]
    undo: Undoable | None
    place: dict[str, Any]
    until: datetime | None
    next_images: Sequence[int]
    priors: Sequence[Prior]
    is_hidden: bool
    is_concealed: bool
    holder: bool
    first_opinion: Opinion | None

    @property
    def standing(self) -> PastVerdict | None:
        """The verdict that counts today: the newest that stands."""
        return next((past for past in self.history if past.stands), None)

    @property
    def own(self) -> PastVerdict | None:
        """This person's verdict that stands."""
        mine = security.person().id
        return next((past for past in self.history if past.stands and past.user_id == mine), None)

    @property
    def retractable(self) -> PastVerdict | None:
        """The verdict that this person may take back."""
        return self.own or (self.standing if security.person().role is Role.LEAD else None)

    @property
    def can_judge(self) -> bool:
        """May this person give a verdict, or correct their own?"""
        return self.mode is Mode.READING or (self.mode is Mode.READ and self.own is not None)

    @property
    def is_held(self) -> bool:
        """Has somebody else the study open, so that it can be taken over?"""
        return self.mode is Mode.HELD and self.holder

    @property
    def findings(self) -> Sequence[Finding]:
        """What the page offers as the main finding."""
        return findings(self.study.body_part)

    @property
    def can_be_passed(self) -> bool:
        """Could a routine study that arrives now still be put before this one?"""
        return clock.now() < self.study.cannot_be_passed_after

    @property
    def flag_threshold(self) -> float | None:
        """Where the bar of the probability has its tick."""
        return next((point.value for point in self.study.thresholds if point.attention == "flagged"), None)


def collect(session: Session, study_id: int, *, obstacle: str) -> Shown:
    """Collect everything for the page of one study."""
    person = security.person()
    study = study_detail(session, study_id)
    row = session.get_one(Study, study_id)
    mode = _mode(study, obstacle, has_read=person.id in turns.earlier_readers(session, row))
    claim = upcoming = None
    is_hidden = first_opinion.is_hidden(session, row, session.get_one(User, person.id))
    history = verdicts.history(session, study_id)
    if person.role in READERS and turns.is_blind(session, row, person.id):
        history = [past for past in history if past.user_id == person.id]
    if mode is Mode.READING:
        claim = claims.holder(session, study_id)
        # After a verdict the list starts from the top, where this study is skipped as being open.
        upcoming = ranked_list.next_study_id(
            session,
            filters_from(request.args),
            after_study_id=None,
            only=turns.may_judge(person.id, person.role),
        )
    return Shown(
        mode=mode,
        study=study,
        obstacle=obstacle or claims.held_by(session, study_id) if mode is not Mode.READING else "",
        history=history,
        undo=verdicts.last_of(session, person.id),
        place=place(),
        until=claim.expires_at if claim else None,
        next_images=image_ids(session, upcoming) if upcoming is not None else [],
        priors=priors(session, study_id),
        is_hidden=is_hidden,
        is_concealed=person.role in READERS and study.has_control_arm and mode is not Mode.READ,
        holder=claims.holder(session, study_id) is not None,
        first_opinion=first_opinion.given(session, study_id, person.id),
    )


def place() -> dict[str, Any]:
    """Return where in the list the person came from, checked, as an address carries it."""
    kept = {name: request.args[name] for name in ("after", "page") if request.args.get(name)}
    return {**query_of(filters_from(request.args)), **kept}


def opinion(form: "MultiDict[str, str]") -> Opinion:
    """Read the chosen opinion.

    Raises
    ------
    Invalid
        If none was chosen: nothing is preselected.
    """
    try:
        return Opinion(form.get("opinion", ""))
    except ValueError as error:
        raise Invalid("Choose normal, abnormal or unsure first.") from error


def judgement(form: "MultiDict[str, str]") -> Judgement:
    """Read what the reader says.

    Raises
    ------
    Invalid
        If no opinion was chosen, or a word is none that the page offers.
    """
    chosen = opinion(form)
    try:
        return Judgement(
            chosen,
            Finding(form["finding"]) if form.get("finding") else None,
            HeatMapPlace(form["heat_map"]) if form.get("heat_map") else None,
            form.get("note", "").strip(),
            _marks(form.get("marks") or "[]"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid("This page is damaged: reload it and try again.") from error


def claimed_until(form: "MultiDict[str, str]") -> datetime | None:
    """Read when the sender's claim ends as far as the page knows; only a page that is closed tells.

    Raises
    ------
    Invalid
        If it is no time.
    """
    try:
        return datetime.fromisoformat(form["until"]) if form.get("until") else None
    except ValueError as error:
        raise Invalid("This page is damaged: reload it and try again.") from error


def seen(form: "MultiDict[str, str]") -> Seen:
    """Read what the page showed when the form was sent."""
    try:
        shown = form.get("probability", "")
        return Seen(
            content_version=int(form["content_version"]),
            result_version=int(form["result_version"]),
            study_probability=min(max(float(shown), 0.0), 1.0) if shown else None,
            visible={**_visible(form.get("visible") or "{}"), "instances": _numbers(form.get("instances", ""))},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid("This page is damaged: reload it and try again.") from error


def _visible(text: str) -> dict[str, Any]:
    """Keep what is known of heat map and crop box; a page without its script says nothing."""
    told = json.loads(text)
    switches = {name: told[name] is True for name in ("heat_map", "crop_box") if name in told}
    return {**switches, "opacity": float(told["opacity"])} if "opacity" in told else switches


def _marks(text: str) -> tuple[DrawnMark, ...]:
    sides = ("left", "top", "width", "height")
    return tuple(
        DrawnMark(int(mark["instance"]), MarkKind(mark["kind"]), *(int(mark[side]) for side in sides))
        for mark in json.loads(text)
    )


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]


def _mode(study: StudyDetail, obstacle: str, *, has_read: bool) -> Mode:
    if study.reading_state is ReadingState.READ or has_read:
        return Mode.READ
    if security.person().role not in READERS:
        return Mode.LOOKING
    return Mode.HELD if obstacle else Mode.READING
