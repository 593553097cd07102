# ruff: noqa: PT012 - what fails is the end of the transaction
"""Transactions: what is committed, what happens afterwards, and what a person is told when it fails."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, event, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import QueuePool

from tests.both_engines import site
from tests.factories import make_study
from worklist import database, jobs
from worklist.database import UTCDateTime, after_commit, make_engine, reading, transaction
from worklist.errors import Invalid, Unavailable
from worklist.tables import Study

__all__ = ["site"]


def write_nothing(engine):
    with transaction(engine) as session:
        session.execute(text("SELECT 1"))


class TestAfterCommit:
    def test_a_call_is_made_once_the_rows_can_be_seen_by_others(self, site):
        seen = []

        def look():
            with reading() as other:
                seen.append(other.scalars(select(Study.id)).all())

        with transaction() as session:
            study = make_study(session)
            after_commit(session, look)
            assert seen == []
        assert seen == [[study.id]]

    def test_nothing_is_called_when_a_savepoint_is_released(self, site):
        calls = []
        with transaction() as session:
            with session.begin_nested():
                after_commit(session, lambda: calls.append("inner"))
            assert calls == []
        assert calls == ["inner"]

    def test_nothing_is_lost_when_a_savepoint_is_rolled_back(self, site):
        calls = []
        with transaction() as session:
            after_commit(session, lambda: calls.append("outer"))
            with pytest.raises(RuntimeError), session.begin_nested():
                raise RuntimeError
        assert calls == ["outer"]

    def test_nothing_is_called_after_an_error(self, site):
        calls = []
        with pytest.raises(RuntimeError), transaction() as session:
            after_commit(session, lambda: calls.append("never"))
            raise RuntimeError
        assert calls == []

    def test_nothing_is_called_after_a_commit_that_failed(self, site):
        calls = []
        with pytest.raises(IntegrityError), transaction() as session:
            after_commit(session, lambda: calls.append("never"))
            session.add(Study(study_instance_uid="1.2.3"))  # half of a row
        assert calls == []

    def test_calls_are_made_in_the_order_they_were_asked_for(self, site):
        calls = []
        with transaction() as session:
            for number in range(3):
                after_commit(session, lambda number=number: calls.append(number))
        assert calls == [0, 1, 2]

    def test_a_call_that_fails_neither_looks_like_a_failed_transaction_nor_stops_the_others(self, site):
        calls = []
        with transaction() as session:
            study = make_study(session)
            after_commit(session, lambda: 1 / 0)
            after_commit(session, lambda: calls.append("next"))
        assert calls == ["next"]
        with reading() as session:
            assert session.get(Study, study.id) is not None

    def test_a_job_is_sent_after_the_commit(self, site, sent_jobs):
        with transaction() as session:
            jobs.enqueue(session, jobs.ANALYSE_INSTANCE, 5)
            assert sent_jobs == []
        assert sent_jobs == [("analyse_instance", 5)]


class TestTimes:
    @pytest.mark.parametrize(
        "moment",
        [
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
            datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=2))),
            datetime(2026, 1, 1, 5, 0, 0, 123456, tzinfo=timezone(timedelta(hours=-5))),
        ],
    )
    def test_a_time_comes_back_as_the_same_moment_in_utc(self, session, moment):
        study = make_study(session, last_received_at=moment)
        session.expire_all()
        assert study.last_received_at == moment
        assert study.last_received_at.tzinfo is UTC

    def test_a_time_without_a_zone_is_refused(self, site):
        with pytest.raises(Invalid, match=r"2026-03-02T08:00:00 has no time zone"), transaction() as session:
            make_study(session, last_received_at=datetime(2026, 3, 2, 8, 0))  # noqa: DTZ001 - the fault
            session.flush()

    def test_times_compare_by_moment_whatever_zone_the_question_has(self, session):
        make_study(session, last_received_at=datetime(2026, 3, 2, 8, 0, tzinfo=UTC))
        later = datetime(2026, 3, 2, 9, 30, tzinfo=timezone(timedelta(hours=2)))
        assert session.scalars(select(Study).where(Study.last_received_at > later)).one()


class TestErrors:
    def test_an_error_names_no_patient(self, site):
        with pytest.raises(IntegrityError) as failed, transaction() as session:
            make_study(session, patient_name="DOE^JANE", study_probability=7)
        assert "DOE" not in str(failed.value).split("DETAIL")[0]

    def test_reading_leaves_nothing_behind(self, site):
        with reading() as session:
            make_study(session)
        with reading() as session:
            assert session.scalars(select(Study)).all() == []


class TestOneSite:
    """What is true of one of the two databases only."""

    @pytest.mark.parametrize("site", ["sqlite"], indirect=True)
    def test_a_locked_database_is_told_in_words(self, site):
        with transaction() as session:
            make_study(session)
            impatient = make_engine(site.effective_database_url)
            event.listen(impatient, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout=50"))
            with pytest.raises(Unavailable, match="The database did not answer: database is locked"):
                write_nothing(impatient)

    @pytest.mark.parametrize("site", ["sqlite"], indirect=True)
    def test_reading_does_not_block_a_writer_nor_see_what_it_writes(self, site):
        with reading() as reader:
            assert reader.scalars(select(Study.id)).all() == []
            with transaction() as session:
                make_study(session)
            assert reader.scalars(select(Study.id)).all() == []
        with reading() as reader:
            assert len(reader.scalars(select(Study.id)).all()) == 1

    @pytest.mark.parametrize("site", ["sqlite"], indirect=True)
    def test_processes_that_read_and_then_write_never_find_the_database_locked(self, site):
        program = (
            "from sqlalchemy import select, update\n"
            "from worklist import database, clock\n"
            "from worklist.tables import Study\n"
            "for _ in range(60):\n"
            "    with database.transaction() as session:\n"
            "        study = session.scalars(select(Study)).one()\n"
            "        study.content_version += 1\n"
        )
        with transaction() as session:
            make_study(session)
        processes = [
            subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        assert [process.communicate(timeout=120)[1] for process in processes] == ["", ""]
        with reading() as session:
            assert session.scalars(select(Study.content_version)).one() == 121

    @pytest.mark.parametrize("site", ["sqlite"], indirect=True)
    def test_every_connection_syncs_each_commit_and_keeps_foreign_keys(self, site):
        with database.engine().connect() as connection:
            pragmas = ("journal_mode", "synchronous", "foreign_keys")
            values = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
        assert values == ["wal", 2, 1]

    @pytest.mark.parametrize("site", ["postgresql"], indirect=True)
    @pytest.mark.postgresql
    def test_a_server_that_goes_away_is_told_in_words(self, site):
        kill = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        with pytest.raises(Unavailable, match="The database did not answer: "), transaction() as session:
            session.execute(text("SELECT 1"))
            with make_engine(site.database_url).connect() as other:
                other.execute(kill)
                other.detach()
            session.execute(text("SELECT 1"))
        with transaction() as session:
            assert session.scalar(text("SELECT 1")) == 1


class TestAddress:
    def test_a_server_that_is_not_there_is_told_in_words(self):
        with pytest.raises(Unavailable, match="The database did not answer"):
            write_nothing(make_engine("postgresql://u:p@127.0.0.1:1/none"))

    def test_a_database_that_we_do_not_know_is_refused(self):
        with pytest.raises(Invalid, match="names mysql; Worklist runs on SQLite and PostgreSQL"):
            make_engine("mysql://host/name")

    def test_something_that_is_no_address_is_refused(self):
        with pytest.raises(Invalid, match="not a database URL"):
            make_engine("my database")

    @pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
    def test_a_database_in_memory_is_refused(self, url):
        with pytest.raises(Invalid, match="in memory; Worklist needs a file"):
            make_engine(url)

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(Unavailable, match=r"The folder .*file/below cannot be made: Not a directory"):
            make_engine(f"sqlite:///{tmp_path}/file/below/worklist.sqlite")

    def test_all_connections_in_use_is_told_in_words(self, tmp_path):
        engine = make_engine(f"sqlite:///{tmp_path}/x.sqlite")
        engine.pool = QueuePool(engine.pool._creator, pool_size=1, max_overflow=0, timeout=0.1)
        with (
            engine.execution_options(read_only=True).connect(),
            pytest.raises(Unavailable, match="all connections are in use"),
        ):
            write_nothing(engine)


def test_a_value_of_our_own_type_is_refused_with_our_own_words(tmp_path):
    table = Table("one", MetaData(), Column("id", Integer), Column("at", UTCDateTime()))
    engine = make_engine(f"sqlite:///{tmp_path}/x.sqlite")
    table.metadata.create_all(engine)
    with pytest.raises(Invalid), transaction(engine) as session:
        session.execute(insert(table).values(at=datetime(2026, 1, 1)))  # noqa: DTZ001 - the fault


@pytest.mark.usefixtures("site")
def test_rows_that_were_read_can_be_used_after_reading() -> None:
    with transaction() as session:
        study_id = make_study(session).id
    with reading() as session:
        study = session.get_one(Study, study_id)
    assert study.patient_name == "SYNTHETIC^Rita"
