"""The schema: migrated up and down on both databases, equal to the tables, and checked in words."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

import worklist.tables  # noqa: F401 - fills the metadata
from tests.both_engines import ENGINES
from worklist import database, schema
from worklist.database import Base
from worklist.errors import Invalid, Unavailable


@pytest.fixture(params=ENGINES)
def empty(request, tmp_path):
    """An engine on a database in which nothing has been made yet."""
    url = f"sqlite:///{tmp_path}/empty.sqlite"
    if request.param == "postgresql":
        url = request.getfixturevalue("empty_postgresql_url")
    engine = database.make_engine(url)
    yield engine
    engine.dispose()


def tables(engine):
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


def test_the_schema_goes_up_down_and_up_again(empty):
    schema.upgrade(empty)
    assert tables(empty) == set(Base.metadata.tables)
    schema.downgrade(empty, "base")
    assert tables(empty) == set()
    schema.upgrade(empty)
    schema.check(empty)


def test_the_migrations_make_exactly_the_tables_of_the_code(empty):
    schema.upgrade(empty)
    with empty.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_again_changes_nothing(empty):
    schema.upgrade(empty)
    schema.upgrade(empty)
    schema.check(empty)


def test_a_database_without_a_schema_says_what_to_do(empty):
    with pytest.raises(Unavailable, match=r"has schema none, this version needs \d+: run 'worklist migrate'"):
        schema.check(empty)


@pytest.mark.parametrize("act", [schema.check, schema.upgrade])
def test_a_database_of_a_newer_version_says_what_to_do(empty, act):
    schema.upgrade(empty)
    with empty.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Invalid, match=r"has schema 9999.*newer version of Worklist\. Start that version, or"):
        act(empty)


@pytest.mark.parametrize("act", [schema.check, schema.upgrade])
def test_a_database_that_is_not_there_is_told_in_words(act):
    with pytest.raises(Unavailable, match="The database did not answer"):
        act(database.make_engine("postgresql://nobody@127.0.0.1:1/none"))


def test_every_constraint_and_index_has_the_name_the_convention_gives(empty):
    schema.upgrade(empty)
    for table in Base.metadata.sorted_tables:
        found = {index["name"] for index in inspect(empty).get_indexes(table.name)}
        assert {index.name for index in table.indexes} <= found
