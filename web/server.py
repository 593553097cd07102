"""Start and run the web server: gunicorn with threads, in the settings of this process."""

import errno
import socket
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from web import create_app
from worklist import database, logs
from worklist.errors import Unavailable
from worklist.settings import Settings

# A reader's list polls every three seconds and is answered in milliseconds: 16 threads serve hundreds.
PROCESSES, THREADS = 2, 8
GRACE_SECONDS = 10


class Server(BaseApplication):
    """Gunicorn, told what to do by us instead of by its command line and files."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Take over our options."""
        for name, value in options(self.settings).items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Build the application, in each process for itself: a database connection must not be shared."""
        logs.configure(self.settings.log_level)
        database.forget_engine()
        return create_app(self.settings)


def options(settings: Settings) -> dict[str, Any]:
    """Return gunicorn's options; there is no access log, since addresses may hold a searched name."""
    memory = Path("/dev/shm")  # noqa: S108 - gunicorn makes its own file there
    return {
        "bind": f"{settings.web_host}:{settings.web_port}",
        "workers": PROCESSES,
        "worker_class": "gthread",
        "threads": THREADS,
        "preload_app": False,
        "accesslog": None,
        "errorlog": "-",
        "loglevel": "warning",
        "graceful_timeout": GRACE_SECONDS,
        "keepalive": 5,
        # Old processes go one after the other, so that a leak of some library never fills the memory.
        "max_requests": 50_000,
        "max_requests_jitter": 10_000,
        # The heartbeat file: on a busy disk its sync would make a healthy process look dead.
        "worker_tmp_dir": str(memory) if memory.is_dir() else None,
        "control_socket_disable": True,
    }


def run(settings: Settings) -> None:
    """Serve until the process is told to stop.

    Raises
    ------
    Unavailable
        If the port is taken.
    Invalid
        If the settings do not allow to serve.
    """
    create_app(settings)  # says what is wrong before processes are started that would die of it
    check_port(settings.web_host, settings.web_port)
    logs.logger(__name__).info("web server starts", host=settings.web_host, port=settings.web_port)
    Server(settings).run()


def check_port(host: str, port: int) -> None:
    """Raise `Unavailable` if an address cannot be listened on; gunicorn would try five times and go."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Unavailable(
                    f"Port {port} on {host} is taken by another program; "
                    "stop it, or set WORKLIST_WEB_PORT to another port."
                ) from error
            raise Unavailable(
                f"The web server cannot listen on {host}, port {port}: {error.strerror}."
            ) from error
