"""The receiver on both databases."""

import threading

from pydicom.dataset import Dataset

from tests.both_engines import site
from tests.worklist.datasets import make_radiograph, new_uid
from tests.worklist.receiver.modality import Site
from worklist.receiver.statuses import Status

__all__ = ["site"]


def test_associations_that_bring_one_study_and_resend_it_all_succeed(receiving: Site) -> None:
    study_instance_uid = new_uid()
    datasets = [make_radiograph(StudyInstanceUID=study_instance_uid) for _ in range(4)]
    answers: list[int] = []

    def send(dataset: Dataset) -> None:
        answers.append(receiving.store(dataset).Status)

    threads = [threading.Thread(target=send, args=(dataset,)) for dataset in datasets * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [Status.SUCCESS] * 8
    assert (receiving.count(), len(receiving.files()), receiving.spooled()) == (4, 4, [])
    assert receiving.studies()[0].content_version == 4


def test_conflicting_version_is_kept(receiving: Site) -> None:
    dataset = make_radiograph()
    receiving.store(dataset)
    dataset.ImageComments = "Corrected"
    assert receiving.store(dataset).Status == Status.SUCCESS
    assert [row.is_current for row in receiving.instances()] == [False, True]
