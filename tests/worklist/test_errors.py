"""The four families of errors that the edges translate."""

import pytest

from worklist.errors import Conflict, Invalid, NotFound, Unavailable, WorklistError

FAMILIES = (NotFound, Conflict, Invalid, Unavailable)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_is_something_a_person_can_be_told(family):
    assert str(family("The study is gone.")) == "The study is gone."
    assert issubclass(family, WorklistError)


def test_no_family_is_part_of_another_or_an_edge_would_answer_for_the_wrong_one():
    assert not any(issubclass(one, other) for one in FAMILIES for other in FAMILIES if one is not other)
