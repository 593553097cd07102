"""The keys of list and study page: which there are, what each person has made of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Flask, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from web import security
from worklist import database
from worklist.accounts.preferences import prefer
from worklist.errors import Invalid

bp = Blueprint("keys", __name__)


@dataclass(frozen=True)
class Key:
    """One action: what it does, its usual key, and a further one that it always has."""

    words: str
    usual: str
    further: str = ""


# Enter, Esc, Tab, the arrows, space and Del mean what they mean everywhere and cannot be changed.
LIST = {
    "next-row": Key("Next study", "j"),
    "previous-row": Key("Previous study", "k"),
    "take-over-news": Key("Take over new studies and changed order", "."),
    "search": Key("Search", "/"),
    "waiting": Key("Waiting studies", "1"),
    "flagged": Key("Flagged", "2"),
    "not-scored": Key("Not scored yet", "3"),
    "failed": Key("Failed", "4"),
    "out-of-scope": Key("Out of scope", "5"),
    "being-read": Key("Being read", "6"),
    "deferred": Key("Deferred", "7"),
    "without-classifier": Key("Without classifier", "8"),
    "late": Key("Late: past the time by which they should be read", "9"),
    "views": Key("Views: use one, keep these filters as one", "v"),
    "columns": Key("Columns", "c"),
    "next-page": Key("Next page", "n"),
    "previous-page": Key("Previous page", "p"),
    "list-keys": Key("All keys", "?"),
}
READING = {
    "normal": Key("Normal", "1"),
    "abnormal": Key("Abnormal", "2"),
    "unsure": Key("Unsure", "3"),
    **{f"finding-{place}": Key(f"Finding {place} of the list", str(place + 3)) for place in range(1, 7)},
    "heat-map-place": Key("Heat map in the right place, in the wrong one, not said", "y"),
    "note": Key("Write a note", "e"),
    "defer": Key("Defer and next study", "d"),
    "next-study": Key("Next study without a verdict", "n"),
    "undo": Key("Undo the last verdict", "u"),
    "take-over": Key("Take over from another reader", "t"),
    "warning": Key("Do what a warning offers", "g"),
    "beside": Key("Another study of the patient beside, the next, none", "c"),
    "study-keys": Key("All keys", "?"),
}
# The names are those of the viewer's actions: web/viewer/README.md.
IMAGE = {
    "heat-map": Key("Heat map on, off", "h"),
    "opacity-down": Key("Heat map weaker", "["),
    "opacity-up": Key("Heat map stronger", "]"),
    "crop-box": Key("Crop box on, off", "b"),
    "window": Key("Drag: window", "w"),
    "zoom": Key("Drag: zoom", "z"),
    "pan": Key("Drag: pan", "p"),
    "magnifier": Key("Drag: magnify", "m"),
    "length": Key("Length", "l"),
    "angle": Key("Angle", "a"),
    "mark-point": Key("Mark for the verdict: point", "o"),
    "mark-box": Key("Mark for the verdict: box", "s"),
    "mark-crop": Key("Mark for the verdict: right crop", "k"),
    "zoom-in": Key("Zoom in", "+", further="="),
    "zoom-out": Key("Zoom out", "-"),
    "invert": Key("Invert", "i"),
    "rotate": Key("Rotate", "r"),
    "flip": Key("Flip", "f"),
    "reset": Key("Reset the image", "0"),
    "text": Key("Words over the images on, off", "x"),
}
GROUPS = {"List": LIST, "Reading": READING, "Image": IMAGE}
SCREENS = (LIST, {**READING, **IMAGE})
"""Within one of these no key can have two meanings."""


def register(app: Flask) -> None:
    """Let templates name keys as the person who looks has them."""
    app.jinja_env.globals.update(kbd=kbd, key_table=key_table, viewer_key_table=viewer_key_table)


def keys_of(chosen: Mapping[str, str]) -> dict[str, str]:
    """Return action → key for what a person has chosen; ``""`` is an action without a key.

    A usual key that the person has given to another action of the screen is not there twice.
    """
    keys: dict[str, str] = {}
    for actions in SCREENS:
        taken = {chosen[action] for action in actions if action in chosen}
        for action, key in actions.items():
            usual = "" if key.usual in taken else key.usual
            keys[action] = chosen.get(action, usual)
    return keys


def choice_from(form: Mapping[str, str]) -> dict[str, str]:
    """Return what differs from the usual keys in a form with a field for each action.

    Raises
    ------
    Invalid
        With one sentence for each key that cannot be had.
    """
    wished = {
        action: form.get(action, key.usual).strip().lower()
        for actions in SCREENS
        for action, key in actions.items()
    }
    faults = [fault for actions in SCREENS for fault in _faults(actions, wished)]
    if faults:
        raise Invalid(" ".join(faults))
    usual = keys_of({})
    return {action: key for action, key in wished.items() if key != usual[action]}


def _faults(actions: Mapping[str, Key], wished: Mapping[str, str]) -> list[str]:
    faults = []
    owners = {key.further: key.words for key in actions.values() if key.further}
    for action, key in actions.items():
        sign = wished[action]
        if len(sign) > 1 or not sign.isprintable():
            faults.append(f"“{key.words}” cannot have the key {sign!r}: a key is one letter, digit or sign.")
        elif sign in owners:
            faults.append(f"The key {sign} cannot mean both “{owners[sign]}” and “{key.words}”.")
        elif sign:
            owners[sign] = key.words
    return faults


@bp.get("/account/keys")
def page() -> ResponseReturnValue:
    """Show all keys, each in a field."""
    return render_template("account/keys.html", groups=GROUPS, keys=_own_keys())


@bp.post("/account/keys")
def keep() -> ResponseReturnValue:
    """Keep the keys of the form, or go back to the usual ones."""
    try:
        chosen = {} if "usual" in request.form else choice_from(request.form)
    except Invalid as error:
        wished = {**_own_keys(), **request.form}
        return render_template("account/keys.html", groups=GROUPS, keys=wished, refusal=str(error)), 422
    with database.transaction() as session:
        prefer(session, security.person().id, "keys", chosen or None)
    flash("Your keys are kept." if chosen else "All keys are the usual ones.")
    return redirect(url_for(".page"), 303)


def kbd(action: str) -> Markup:
    """Return ``<kbd>`` with the key of an action, or nothing if the person has taken its key away."""
    key = _own_keys()[action]
    return Markup("<kbd>{}</kbd>").format(key) if key else Markup()


def key_table(group: str) -> dict[str, str]:
    """Return key → action of one group, as its script takes it."""
    keys = _own_keys()
    return {keys[action]: action for action in GROUPS[group] if keys[action]}


def viewer_key_table() -> dict[str, list[str]]:
    """Return action → keys, as the viewer takes them."""
    keys = _own_keys()
    return {action: [sign for sign in (keys[action], key.further) if sign] for action, key in IMAGE.items()}


def _own_keys() -> dict[str, str]:
    if "own_keys" not in g:  # a page names fifty
        chosen: Any = security.person().preferences.get("keys", {})
        g.own_keys = keys_of(chosen)
    own_keys: dict[str, str] = g.own_keys
    return own_keys
