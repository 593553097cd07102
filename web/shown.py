"""How values are shown on every page: names, ages, times, icons."""

from datetime import datetime, timedelta
from functools import lru_cache

from flask import Flask, request, url_for
from markupsafe import Markup

from worklist import clock
from worklist.reading.judgement import Judgement, words
from worklist.tables import Turn


def register(app: Flask) -> None:
    """Offer these functions to all templates."""
    app.jinja_env.globals.update(icon=icon)
    app.jinja_env.filters.update(
        person_name=person_name,
        age=age,
        waited=waited,
        local_time=local_time,
        local_moment=local_moment,
        part_name=part_name,
        finding_name=words,
        told=told,
        turn_name=turn_name,
        size=size,
    )


def icon(name: str) -> Markup:
    """Return one drawing of ``static/icons.svg``; a word beside it always says the same."""
    return _icon(request.script_root, name)


@lru_cache(maxsize=256)
def _icon(root: str, name: str) -> Markup:
    # A list draws hundreds; looking the address up for each is a waste.
    address = url_for("static", filename="icons.svg")
    return Markup('<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>').format(address, name)


def person_name(stored: str) -> str:
    """Return ``FAMILY, Given Middle`` of a DICOM person name, the first component group that has text.

    References
    ----------
    PS3.5 6.2 (PN): groups divided by ``=``, components family, given, middle, prefix, suffix by ``^``.
    """
    group = next((part for part in stored.split("=") if part.strip("^ ")), "")
    family, *others = [component.strip() for component in group.split("^")]
    given = " ".join(component for component in others[:2] if component)
    return ", ".join(part for part in (family, given) if part) or "(no name)"


def age(birth_date: str) -> str:
    """Return whole years since a DICOM date, such as ``45 y``; nothing if it is not a date."""
    if len(birth_date) != 8 or not birth_date.isdecimal():
        return ""
    today = clock.now().strftime("%Y%m%d")
    years = (int(today) - int(birth_date)) // 10_000
    return f"{years} y" if 0 <= years < 130 else ""


def waited(since: datetime) -> str:
    """Return how long ago a time is, as the list says it; ``worklist_page.js`` goes on counting."""
    return duration(clock.now() - since)


def turn_name(turn: Turn) -> str:
    """Return a turn as the history says it."""
    return {Turn.FIRST: "first reading", Turn.SECOND: "second reading", Turn.ARBITRATION: "arbitration"}[turn]


def duration(length: timedelta) -> str:
    """Return a length of time in the largest units that matter; nothing is shorter than none."""
    minutes = max(length, timedelta()) // timedelta(minutes=1)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02}"
    return f"{minutes // (24 * 60)} days"


def local_time(moment: datetime) -> Markup:
    """Return a ``<time>`` in UTC that the browser rewrites in its own time zone."""
    return Markup('<time datetime="{}" data-local>{} UTC</time>').format(
        moment.isoformat(timespec="seconds"), moment.strftime("%H:%M")
    )


def local_moment(moment: datetime) -> Markup:
    """Return a ``<time>`` with its day in UTC that the browser rewrites in its own time zone."""
    return Markup('<time datetime="{}" data-moment>{} UTC</time>').format(
        moment.isoformat(timespec="seconds"), f"{moment:%-d %b %Y, %H:%M}"
    )


def size(file_bytes: int) -> str:
    """Return the size of a file in MB, or in kB if it is small."""
    return f"{file_bytes / 1e6:.1f} MB" if file_bytes >= 1e5 else f"{file_bytes / 1e3:.1f} kB"


def told(judgement: Judgement) -> str:
    """Return what a reader said, in words: ``abnormal: fracture; heat map in the wrong place``."""
    parts = [judgement.opinion.value]
    if judgement.finding:
        parts[0] += f": {words(judgement.finding)}"
    if judgement.heat_map:
        parts.append(f"heat map in the {judgement.heat_map.value} place")
    return "; ".join(parts)


def part_name(body_part: str | None) -> str:
    """Return a body part as a word, ``Wrist``, or ``Unknown``."""
    return body_part.capitalize() if body_part else "Unknown"
