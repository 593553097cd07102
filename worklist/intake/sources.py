"""Who may send: a calling AE title at an address; loopback is trusted, everything else must be added first."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from ipaddress import IPv6Address, ip_address
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from worklist import audit, clock
from worklist.dicom.character_sets import FALLBACKS
from worklist.errors import Conflict, Invalid, NotFound
from worklist.intake.insertion import insert_unless_there
from worklist.tables import BodyPart, ClinicalPriority, Instance, Source

WHO = "receiver"
NAMED = select(Source).where(Source.ae_title == bindparam("ae_title"), Source.address == bindparam("address"))

SENDING = select(Source.id, Source.default_body_part, Source.clinical_priority, Source.character_set).where(
    Source.ae_title == bindparam("ae_title"), Source.address == bindparam("address"), Source.is_enabled
)


@dataclass(frozen=True)
class Rules:
    """What holds for a source.

    Attributes
    ----------
    default_body_part : BodyPart or None
        For images that name none.
    quiet_seconds : float or None
        Seconds without a new image after which a study of it is complete; None for the setting.
    character_set : str
        One of `worklist.dicom.character_sets.FALLBACKS`, for images that name none.
    port : int or None
        Where it listens itself, for answers to commitment requests and images it asks for; None if it does not.
    """

    name: str = ""
    default_body_part: BodyPart | None = None
    clinical_priority: ClinicalPriority = ClinicalPriority.ROUTINE
    quiet_seconds: float | None = None
    character_set: str = ""
    port: int | None = None
    uses_tls: bool = False


@dataclass(frozen=True, slots=True)
class Sending:
    """What the way of an image needs of its source."""

    id: int
    default_body_part: BodyPart | None
    clinical_priority: ClinicalPriority
    character_set: str


class UnknownSource(Conflict):
    """Somebody sends who was not added as a source."""


class SwitchedOff(UnknownSource):
    """A source sends that was switched off."""


class UnknownDestination(Conflict):
    """Images are asked for to be sent to somebody who is no source with a port."""


@dataclass(frozen=True)
class Destination:
    """Where a source listens, and as whom we call it."""

    ae_title: str
    address: str
    port: int
    our_ae_title: str
    uses_tls: bool


def destination(source: Source, our_ae_title: str) -> Destination | None:
    """Return where a source can be called; None if nobody said at which port."""
    if source.port is None:
        return None
    return Destination(source.ae_title, source.address, source.port, our_ae_title, source.uses_tls)


def destination_called(session: Session, ae_title: str, *, our_ae_title: str) -> Destination:
    """Return where the source with an AE title can be called; of several the one that was added first.

    Raises
    ------
    UnknownDestination
        If there is none that is switched on and has a port.
    """
    source = session.scalars(
        select(Source)
        .where(Source.ae_title == ae_title, Source.is_enabled, Source.port.is_not(None))
        .order_by(Source.id)
        .limit(1)
    ).one_or_none()
    found = destination(source, our_ae_title) if source else None
    if found is None:
        raise UnknownDestination(
            f"{ae_title or '(nobody)'} is no source with a port: an administrator can enter it under Sources."
        )
    return found


def recognise(session: Session, ae_title: str, address: str) -> Source:
    """Return the source that opens an association, and note that it was seen.

    Raises
    ------
    UnknownSource
        If nobody added it, or somebody switched it off; the message says what to do.
    """
    source = known(session, ae_title, address)
    source.last_seen_at = clock.now()
    return source


def known(session: Session, ae_title: str, address: str) -> Source:
    """Return a source that may send; whoever sends from the loopback address becomes one.

    Raises
    ------
    UnknownSource
        If nobody added it, or somebody switched it off; the message says what to do.
    """
    address = canonical(address)
    source = _find(session, ae_title, address)
    if source is None and ip_address(address).is_loopback:
        _insert(session, ae_title, address, who=WHO)
        source = _find(session, ae_title, address)
    if source is None:
        raise UnknownSource(
            f"{ae_title} at {address} is not a known source. "
            f"If it should send here, run: worklist source add {ae_title} {address}"
        )
    if not source.is_enabled:
        raise SwitchedOff(f"The source {ae_title} at {address} is switched off.")
    return source


def sending(session: Session, ae_title: str, address: str) -> Sending:
    """Return the same of a source as `known`, without the unit of work: it is asked for with each image.

    Raises
    ------
    UnknownSource
        If nobody added it, or somebody switched it off.
    """
    wanted = {"ae_title": ae_title, "address": canonical(address)}
    row = session.connection().execute(SENDING, wanted).one_or_none()
    if row is None:
        source = known(session, ae_title, address)
        return Sending(source.id, source.default_body_part, source.clinical_priority, source.character_set)
    return Sending(*row)


def welcome(session: Session, ae_title: str, address: str, *, who: str) -> None:
    """Let somebody be a source who has shown a password; one that was switched off stays so."""
    if _find(session, ae_title, canonical(address)) is None:
        _insert(session, ae_title, canonical(address), who=who)


def canonical(address: str) -> str:
    """Return an IP address in its one spelling; IPv4 addresses inside IPv6 become IPv4.

    Raises
    ------
    Invalid
        If it is no IP address.
    """
    try:
        parsed = ip_address(address.split("%")[0])
    except ValueError as error:
        raise Invalid(f"{address} is not an IP address.") from error
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(parsed)


def add(
    session: Session,
    ae_title: str,
    address: str,
    *,
    who: str,
    **given: Any,
) -> Source:
    """Let somebody send; a source that is there already is switched on, and keeps what is not given.

    Parameters
    ----------
    given
        Attributes of `Rules`.

    Raises
    ------
    Invalid
        If the AE title has no or more than 16 characters, the address is no IP address, or a rule is none.
    """
    ae_title, address = ae_title.strip(), canonical(address)
    if not 1 <= len(ae_title) <= 16:
        raise Invalid(f"An AE title has 1 to 16 characters, {ae_title!r} has {len(ae_title)}.")
    _insert(session, ae_title, address, who=who)
    source = session.scalars(NAMED, {"ae_title": ae_title, "address": address}).one()
    switch(session, source.id, is_enabled=True, who=who)
    change(session, source.id, replace(rules_of(source), **given), who=who)
    return source


def existing(session: Session, source_id: int) -> Source:
    """Return a source.

    Raises
    ------
    NotFound
        If there is none with this id.
    """
    source = session.get(Source, source_id)
    if source is None:
        raise NotFound("There is no such source.")
    return source


def rules_of(source: Source) -> Rules:
    """Return the rules of a source."""
    return Rules(**{field.name: getattr(source, field.name) for field in fields(Rules)})


def change(session: Session, source_id: int, rules: Rules, *, who: str) -> None:
    """Give a source other rules; they hold for the images that come from now on.

    Raises
    ------
    NotFound
        If there is no such source.
    Invalid
        If a rule is none.
    """
    source = existing(session, source_id)
    _check(rules)
    changed = {name: value for name, value in asdict(rules).items() if value != getattr(source, name)}
    for name, value in changed.items():
        setattr(source, name, value)
    if changed:
        audit.record(session, who, "source.changed", about=("source", source.id), **changed)


def switch(session: Session, source_id: int, *, is_enabled: bool, who: str) -> None:
    """Let a source send, or not any more; what it has sent stays."""
    source = existing(session, source_id)
    if source.is_enabled != is_enabled:
        source.is_enabled = is_enabled
        audit.record(session, who, "source.changed", about=("source", source.id), is_enabled=is_enabled)


def image_counts(session: Session, since: datetime) -> dict[int, int]:
    """Return how many instances each source has sent since a time, by its id."""
    # Counted source by source: so each count is a range of the index.
    sent = select(func.count()).where(Instance.source_id == Source.id, Instance.received_at >= since)
    rows = session.execute(select(Source.id, sent.correlate(Source).scalar_subquery())).all()
    return {row[0]: row[1] for row in rows}


def all_sources(session: Session) -> Sequence[Source]:
    """Return every source, by AE title."""
    return session.scalars(select(Source).order_by(Source.ae_title, Source.address)).all()


def _check(rules: Rules) -> None:
    if len(rules.name) > 64:
        raise Invalid(f"The name of a source has at most 64 characters, this one has {len(rules.name)}.")
    if rules.quiet_seconds is not None and not 0 < rules.quiet_seconds <= 3600:
        raise Invalid(f"The quiet time is more than 0 and at most 3600 s, not {rules.quiet_seconds:g} s.")
    if rules.port is not None and not 1 <= rules.port <= 65535:
        raise Invalid(f"A port is a number from 1 to 65535, not {rules.port}.")
    if rules.character_set not in FALLBACKS:
        raise Invalid(f"{rules.character_set!r} is not a character set that can be assumed of a source.")


def _find(session: Session, ae_title: str, address: str) -> Source | None:
    return session.scalars(NAMED, {"ae_title": ae_title, "address": address}).one_or_none()


def _insert(session: Session, ae_title: str, address: str, *, who: str) -> None:
    now = clock.now()
    new_id = insert_unless_there(
        session,
        Source,
        {
            "ae_title": ae_title,
            "address": address,
            "is_enabled": True,
            "first_seen_at": now,
            "last_seen_at": now,
        },
    )
    if new_id is not None:
        about = ("source", new_id)
        audit.record(session, who, "source.added", about=about, ae_title=ae_title, address=address)
