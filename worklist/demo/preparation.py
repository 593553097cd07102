"""Prepare the demo's data folder: secrets, ports, database, people, the demo classifier."""

import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from worklist import accounts, database, schema, settings
from worklist.classifiers import versions
from worklist.errors import Conflict, Unavailable
from worklist.tables import Role, User

WHO = "demo"
CARD = Path(__file__).resolve().parents[2] / "workers" / "demo_classifier" / "card.json"
PEOPLE = (("rita", "Rita Demo", Role.READER), ("adam", "Adam Demo", Role.ADMINISTRATOR))


@dataclass(frozen=True)
class Secrets:
    """What the demo keeps in its data folder, readable by its owner alone."""

    secret_key: str
    broker_password: str
    password: str


def configure(data: Path) -> Secrets:
    """Point this process, and all that it starts, at the demo's folder; return its secrets."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = _secrets(data / "secrets")
    settings.replace(
        data_folder=data.resolve(),
        demo="true",
        secret_key=kept.secret_key,
        broker_url=f"redis://:{kept.broker_password}@127.0.0.1:{free_port()}/0",
        receiver_host="127.0.0.1",
    )
    database.forget_engine()
    return kept


def prepare_database(kept: Secrets) -> None:
    """Migrate, and add the two people of the demo."""
    schema.upgrade(database.engine())
    _add_people(kept.password)


def _secrets(folder: Path) -> Secrets:
    folder.mkdir(mode=0o700, exist_ok=True)
    return Secrets(
        secret_key=_kept(folder / "secret_key", secrets.token_hex(32)),
        broker_password=_kept(folder / "broker_password", secrets.token_hex(16)),
        password=_kept(folder / "password", "-".join(secrets.token_hex(2) for _ in range(4))),
    )


def _kept(path: Path, first_value: str) -> str:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(first_value, encoding="ascii")
    return path.read_text(encoding="ascii")


def _add_people(password: str) -> None:
    with database.transaction() as session:
        known = set(session.scalars(select(User.username)))
        for username, name, role in PEOPLE:
            if username not in known:
                accounts.create_user(
                    session,
                    username=username,
                    display_name=name,
                    password=password,
                    role=role,
                    who=WHO,
                    must_change_password=False,
                )


def register_classifier() -> None:
    """Put the demo classifier in charge, unless it was registered before."""
    with database.transaction() as session:
        try:
            version = versions.register(session, CARD, WHO)
        except Conflict:
            return
        versions.promote(session, version.name, WHO)


def check_ports(current: settings.Settings) -> None:
    """Make sure that nobody else has our ports.

    Raises
    ------
    Unavailable
        Naming the port and the variable that moves it.
    """
    for name in ("receiver_port", "web_port", "flower_port"):
        port = getattr(current, name)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise Unavailable(
                    f"Port {port} is taken by another program: stop it, or choose another port with "
                    f"WORKLIST_{name.upper()}={port + 1000} make demo."
                ) from error


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
