"""Several images in one commit, by several receivers at once."""

import threading
from contextlib import suppress

import pytest

from tests.both_engines import site
from tests.worklist.datasets import make_radiograph, new_uid, write
from worklist import database, settings
from worklist.archive import Kept
from worklist.dicom.header import read_header
from worklist.intake import sources
from worklist.receiver import keeping
from worklist.receiver.keeping import Sender
from worklist.settings import Settings
from worklist.tables import Instance

__all__ = ["site"]

SENDERS = (Sender("ROOM-1", "WORKLIST", "192.0.2.1"), Sender("ROOM-2", "WORKLIST", "192.0.2.2"))


@pytest.fixture
def two_studies(site: Settings) -> tuple[str, str]:
    """Two studies that two sources send at the same time."""
    with database.transaction() as session:
        for sender in SENDERS:
            sources.add(session, sender.calling, sender.address, who="adam")
    return new_uid(), new_uid()


def kept(study_instance_uid: str, sender: Sender) -> keeping._File:
    name = f"2026/03/02/{new_uid()}.dcm"
    path = settings.current().archive_folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write(make_radiograph(StudyInstanceUID=study_instance_uid), path)
    return keeping._File(Kept(name, new_uid(), path.stat().st_size), read_header(path), sender)


def test_receivers_that_keep_the_same_studies_in_other_orders_wait_and_never_block_each_other(
    two_studies: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = [
        [kept(uid, sender) for uid, sender in zip(two_studies[::step], SENDERS[::step], strict=True)]
        for step in (1, -1)
    ]
    both_have_one = threading.Barrier(2, timeout=1)
    register, failures = keeping.register, []

    def slowly(*arguments, **options):
        registered = register(*arguments, **options)
        with suppress(threading.BrokenBarrierError):  # then the other one waits for what this one has
            both_have_one.wait()
        return registered

    def commit(group: list[keeping._File]) -> None:
        try:
            keeping._commit_group(group)
        except Exception as error:
            failures.append(error)

    monkeypatch.setattr(keeping, "register", slowly)
    threads = [threading.Thread(target=commit, args=(group,)) for group in groups]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    with database.reading() as session:
        assert session.query(Instance).count() == 4


def test_each_file_gets_the_answer_that_is_its_own(two_studies: tuple[str, str]) -> None:
    files = [kept(uid, SENDERS[0]) for uid in (*sorted(two_studies, reverse=True), two_studies[0])]
    registered = keeping._commit_group(files)
    with database.reading() as session:
        uids = [session.get_one(Instance, one.instance_id).sop_instance_uid for one in registered]
    assert uids == [file.header.sop_instance_uid for file in files]
