"""Several images, one commit: whoever holds the lock commits for all who wait for it.

Syncing the folder and the database costs as much for one image as for sixteen. An association that comes alone
commits at once and alone; those that come while it does are committed together by the next one.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class _Entry(Generic[Item, Result]):
    item: Item
    is_done: bool = False
    result: Result | None = None
    error: BaseException | None = None


class GroupCommit(Generic[Item, Result]):
    """Calls ``commit`` with everything that waits, from the thread of one of those who wait.

    Parameters
    ----------
    commit
        Does all or, by raising, nothing; returns a result for each item, in order.
    largest_group
        No more items than this at once.
    """

    def __init__(self, commit: Callable[[Sequence[Item]], Sequence[Result]], largest_group: int = 32) -> None:
        self._commit = commit
        self._largest_group = largest_group
        self._lock = threading.Lock()
        self._waiting: deque[_Entry[Item, Result]] = deque()

    def __call__(self, item: Item) -> Result:
        """Return the result of an item once it has been committed.

        Raises
        ------
        Exception
            What ``commit`` raised for this item alone.
        """
        entry: _Entry[Item, Result] = _Entry(item)
        self._waiting.append(entry)
        while not entry.is_done:
            with self._lock:
                if not entry.is_done:
                    self._commit_next_group()
        if entry.error is not None:
            raise entry.error
        return cast("Result", entry.result)

    def _commit_next_group(self) -> None:
        group = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._largest_group))]
        if len(group) == 1:
            self._settle_alone(group[0])
            return
        try:
            self._settle(group)
        except Exception:
            # One by one, so that the fault of one is not that of the others.
            for entry in group:
                self._settle_alone(entry)

    def _settle_alone(self, entry: "_Entry[Item, Result]") -> None:
        try:
            self._settle([entry])
        except Exception as error:
            entry.error, entry.is_done = error, True

    def _settle(self, group: "list[_Entry[Item, Result]]") -> None:
        results = self._commit([entry.item for entry in group])
        for entry, result in zip(group, results, strict=True):
            entry.result, entry.is_done = result, True
