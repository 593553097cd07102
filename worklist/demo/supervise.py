"""Start and stop all processes through supervisord: in order, restarted when they die, none left behind."""

import ctypes
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# Linux: the kernel sends this signal to a process whose parent has died (prctl(2)).
PR_SET_PDEATHSIG = 1
STOP_SECONDS = 60


@dataclass(frozen=True)
class Program:
    """One process; the smaller ``order`` starts first and stops last."""

    name: str
    order: int
    command: list[str]


class Supervisor:
    """A supervisord of our own; its configuration and the logs of its programs lie in one folder."""

    def __init__(self, folder: Path, programs: list[Program], environment: dict[str, str]) -> None:
        self.folder = folder.resolve()
        self._environment = environment
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        self._configuration = self.folder / "supervisord.conf"
        self._configuration.write_text(self._text(programs), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start supervisord in a session of its own, so that Ctrl-C reaches us alone and we stop in order."""
        with (self.folder / "logs" / "supervisord.out").open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(self._configuration)],
                env=self._environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    @property
    def is_running(self) -> bool:
        """Whether supervisord itself is alive."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop every program in reverse order and wait for the last one."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log(self, program: str) -> Path:
        """Return where a program's lines go."""
        return self.folder / "logs" / f"{program}.log"

    def _text(self, programs: list[Program]) -> str:
        head = (
            "[supervisord]\nnodaemon=true\n"
            f"logfile={self.folder}/logs/supervisord.log\npidfile={self.folder}/supervisord.pid\n"
            "logfile_maxbytes=5MB\nlogfile_backups=1\nminfds=4096\n"
        )
        return head + "".join(self._section(program) for program in programs)

    def _section(self, program: Program) -> str:
        command = " ".join(f'"{part}"'.replace("%", "%%") for part in program.command)
        return (
            f"\n[program:{program.name}]\ncommand={command}\npriority={program.order}\n"
            "autorestart=true\nstartsecs=2\nstartretries=10\nstopwaitsecs=20\nstopasgroup=false\nkillasgroup=true\n"
            f"redirect_stderr=true\nstdout_logfile={self.log(program.name)}\n"
            "stdout_logfile_maxbytes=5MB\nstdout_logfile_backups=1\n"
        )


def _end_with_parent() -> None:
    """Run in the child: if this program is killed with -9, supervisord still ends its programs in order."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
