"""Who may send: a calling AE title at an address; loopback is trusted, everything else must be added first."""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from worklist import audit, clock
from worklist.errors import Conflict, Invalid
from worklist.intake.insertion import insert_unless_there
from worklist.tables import Source

WHO = "receiver"


class UnknownSource(Conflict):
    """Somebody sends who was not added as a source, or was switched off."""


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
    source = session.scalars(_named(ae_title, address)).one_or_none()
    if source is None and ip_address(address).is_loopback:
        _insert(session, ae_title, address, who=WHO)
        source = session.scalars(_named(ae_title, address)).one()
    if source is None:
        raise UnknownSource(
            f"{ae_title} at {address} is not a known source. "
            f"If it should send here, run: worklist source add {ae_title} {address}"
        )
    if not source.is_enabled:
        raise UnknownSource(f"The source {ae_title} at {address} is switched off.")
    return source


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


def add(session: Session, ae_title: str, address: str, *, name: str = "", who: str) -> Source:
    """Let somebody send; a source that is there already is switched on.

    Raises
    ------
    Invalid
        If the AE title has no or more than 16 characters, or the address is no IP address.
    """
    ae_title, address = ae_title.strip(), canonical(address)
    if not 1 <= len(ae_title) <= 16:
        raise Invalid(f"An AE title has 1 to 16 characters, {ae_title!r} has {len(ae_title)}.")
    _insert(session, ae_title, address, who=who)
    source = session.scalars(_named(ae_title, address)).one()
    source.is_enabled = True
    source.name = name or source.name
    return source


def all_sources(session: Session) -> Sequence[Source]:
    """Return every source, by AE title."""
    return session.scalars(select(Source).order_by(Source.ae_title, Source.address)).all()


def _named(ae_title: str, address: str) -> Select[Source]:
    return select(Source).where(Source.ae_title == ae_title, Source.address == address)


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
