"""How threads wake each other: queues that tell, and a descriptor that a poll can watch."""

import os
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class SignallingQueue(queue.Queue[Any]):
    """A queue that tells somebody of each item."""

    def __init__(self, signal: Callable[[], None], before: "queue.Queue[Any]") -> None:
        super().__init__()
        self._signal = signal
        self.queue.extend(before.queue)  # what was put before we took its place

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put an item and tell."""
        super().put(item, block, timeout)
        self._signal()


class Alarm:
    """A descriptor that becomes readable when somebody rings; safe to ring after it has been closed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def ring(self) -> None:
        """Make it readable."""
        with self._lock:
            if self.descriptor >= 0:
                os.eventfd_write(self.descriptor, 1)

    def silence(self) -> None:
        """Make it unreadable again."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.descriptor)

    def close(self) -> None:
        """Give the descriptor back; the number may be somebody else's from now on."""
        with self._lock:
            os.close(self.descriptor)
            self.descriptor = -1
