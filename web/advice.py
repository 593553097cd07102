"""What to change so that something that was turned away is not turned away again, in plain words."""

from dataclasses import dataclass
from enum import StrEnum

from worklist import settings
from worklist.intake.rejections import Rejected, Why
from worklist.tables import Source


class Remedy(StrEnum):
    """What a button beside the advice does."""

    NONE = "none"
    LET_IT_SEND = "let_it_send"
    SWITCH_ON = "switch_on"
    DONE = "done"


@dataclass(frozen=True)
class Advice:
    """What happened, what to change, and what a button can do about it."""

    what: str
    change: str
    remedy: Remedy = Remedy.NONE


# By the status that the instance was refused with (docs/statuses.md).
REFUSED = {
    "0x0110": "The receiver made a mistake: its log has the details. Send the image again.",
    "0xA700": "Make room on the archive disk, see that the database runs, or raise the limit that is named; "
    "then send the image again.",
    "0xA900": "The modality announces another image than it sends: send it again from there, and ask its "
    "vendor if that does not help.",
    "0xC000": "The object lacks what every image must have. Send it again from the modality; if it comes "
    "from a converter or an export, correct it there.",
}


def advice(rejected: Rejected, source: Source | None) -> Advice:
    """Say what to do about something that was turned away.

    Parameters
    ----------
    source
        The source that the sender is now, if somebody has added it.
    """
    if rejected.why is Why.INSTANCE_REFUSED and rejected.status != "0x0124":
        change = REFUSED.get(rejected.status, "Send the image again.")
        return Advice(f"An image was refused with {rejected.status}: {rejected.reason}", change)
    if rejected.why is Why.NO_SUCH_SERVICE:
        return _no_such_service(rejected)
    if rejected.why is Why.WRONG_CALLED_AE_TITLE:
        return _wrong_called(rejected)
    if rejected.why is Why.TOO_MANY_ASSOCIATIONS:
        what = "It opened an association while as many as allowed were open."
        change = "Let the modality send over one association at a time, or raise WORKLIST_MAXIMUM_ASSOCIATIONS."
        return Advice(what, change)
    return _not_permitted(source)


def _not_permitted(source: Source | None) -> Advice:
    if source is None:
        what = "Nobody has added it as a source, so its association was rejected."
        return Advice(
            what, "If you know it, let it send; if not, find out who it is first.", Remedy.LET_IT_SEND
        )
    if not source.is_enabled:
        what = "This source is switched off, so what it sends is refused."
        return Advice(what, "Switch it on if it should send.", Remedy.SWITCH_ON)
    return Advice("It was not a known source then.", "Nothing to change: it may send now.", Remedy.DONE)


def _wrong_called(rejected: Rejected) -> Advice:
    title = settings.current().ae_title
    what = f"It calls {rejected.called}, and this receiver is {title}."
    change = f"At the modality, enter {title} as called AE title; it is compared letter by letter."
    return Advice(what, change)


def _no_such_service(rejected: Rejected) -> Advice:
    what = f"It asked for {rejected.service or 'a service'}, which is no service of a receiver of images."
    change = (
        "Images arrive all the same. At the modality, address this service to the system that offers it, "
        "such as the RIS or the PACS."
    )
    return Advice(what, change)
