"""The campaigns of docs/ingest.md in a reduced form, against real receiver processes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import growth, kill_campaign, mutations, power_cut, senders
from tests.conftest import forget
from worklist import database

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    """A campaign points this process to its site; take that back."""
    before = dict(os.environ)
    yield
    database.engine().dispose()
    os.environ.clear()
    os.environ.update(before)
    forget()


def test_killed_receiver_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    assert kill_campaign.run(tmp_path / "data", rounds=2) == []


@pytest.mark.postgresql
def test_one_of_two_receivers_dies_and_nothing_is_lost(tmp_path: Path, postgresql_url: str) -> None:
    assert kill_campaign.run(tmp_path / "data", rounds=1, receivers=2, database_url=postgresql_url) == []


@pytest.mark.postgresql
def test_two_receivers_get_the_same_instances_and_double_none(tmp_path: Path, postgresql_url: str) -> None:
    faults, _ = growth.run(tmp_path, instances=120, receivers=2, database_url=postgresql_url)
    assert faults == []


def test_power_cut_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    assert power_cut.run(tmp_path, rounds=1) == []


def test_mutated_data_sets_and_pdus_break_nothing(tmp_path: Path) -> None:
    assert mutations.run(tmp_path, cases=100) == []


def test_real_senders_are_served_well_and_badly_behaved_ones_survived(tmp_path: Path) -> None:
    assert senders.run(tmp_path, side=64, count=4, held_seconds=0, with_orthanc=False) == []
