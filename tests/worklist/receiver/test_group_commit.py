"""One commit for all who wait, and the fault of one is not that of the others."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from worklist.receiver.group_commit import GroupCommit


class Database:
    """Doubles numbers in groups; it is slow for the first one, and refuses 13."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.first_has_begun = threading.Event()
        self.go_on = threading.Event()

    def commit(self, items: Sequence[int]) -> list[int]:
        if not self.groups:
            self.groups.append(list(items))
            self.first_has_begun.set()
            assert self.go_on.wait(10)
            return [2 * item for item in items]
        if 13 in items:
            raise ValueError("13")
        self.groups.append(list(items))
        return [2 * item for item in items]


def waiting(group_commit: "GroupCommit[int, int]", count: int) -> None:
    while len(group_commit._waiting) < count:
        threading.Event().wait(0.001)


def test_those_who_come_during_a_commit_are_committed_together() -> None:
    database = Database()
    together: GroupCommit[int, int] = GroupCommit(database.commit)
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(together, 1)
        assert database.first_has_begun.wait(10)
        others = [threads.submit(together, number) for number in (2, 3, 4)]
        waiting(together, 3)
        database.go_on.set()
        assert [one.result(10) for one in [first, *others]] == [2, 4, 6, 8]
    assert [sorted(group) for group in database.groups] == [[1], [2, 3, 4]]


def test_fault_of_one_is_raised_for_it_alone() -> None:
    database = Database()
    together: GroupCommit[int, int] = GroupCommit(database.commit)
    with ThreadPoolExecutor(8) as threads:
        threads.submit(together, 1)
        assert database.first_has_begun.wait(10)
        answers = {number: threads.submit(together, number) for number in (2, 13, 4)}
        waiting(together, 3)
        database.go_on.set()
        assert (answers[2].result(10), answers[4].result(10)) == (4, 8)
        with pytest.raises(ValueError, match="13"):
            answers[13].result(10)


def test_group_has_a_limit_and_nobody_is_left_behind() -> None:
    database = Database()
    together: GroupCommit[int, int] = GroupCommit(database.commit, largest_group=2)
    with ThreadPoolExecutor(8) as threads:
        threads.submit(together, 1)
        assert database.first_has_begun.wait(10)
        others = [threads.submit(together, number) for number in range(2, 7)]
        waiting(together, 5)
        database.go_on.set()
        assert [one.result(10) for one in others] == [4, 6, 8, 10, 12]
    assert max(len(group) for group in database.groups) == 2
