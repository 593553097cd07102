"""``worklist dataset``: what it says on standard output, on standard error, and its exit status."""

import json
from pathlib import Path

import pytest

from tests.worklist.dataset.folders import label, put
from worklist import cli


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run a command; return exit status, standard output and standard error."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["dataset", *(str(argument) for argument in arguments)])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A drawn data set of 21 patients."""
    path = tmp_path / "MURA-v1.1"
    options = ("--patients", 21, "--longest-px", 64, "--valid-share", 0.4)
    status, said, _ = run(capsys, "synthesize", path, *options)
    assert status == 0
    assert said == f"{len(list(path.rglob('*.png')))} images of 21 patients drawn into {path}.\n"
    return path


def test_summary_of_what_was_drawn(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said, err = run(capsys, "summary", folder)
    assert (status, err) == (0, "")
    lines = said.splitlines()
    assert lines[0] == f"{folder} (MURA)"
    assert lines[2].split("  ")[-4:] == ["train normal", "train abnormal", "valid normal", "valid abnormal"]
    assert "  patients in more than one split: 0" in lines
    assert lines[-1] == "Faults: none"


def test_json_is_all_that_is_on_standard_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said, _ = run(capsys, "summary", folder, "--json")
    images = json.loads(said)["images"]
    listed = (folder / "valid_image_paths.csv").read_text().splitlines()
    assert status == 0
    assert sum(sum(counts.values()) for counts in images["valid"].values()) == len(listed)


def test_quick_opens_no_image(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in folder.rglob("*.png"):
        path.write_bytes(b"")
    status, said, _ = run(capsys, "summary", folder, "--quick")
    assert (status, said.count("not opened"), "cannot be read" in said) == (0, 2, False)


def test_planted_faults_are_named_and_found_and_end_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "faulty"
    options = ("--patients", 42, "--longest-px", 64, "--with-faults")
    _, planted, _ = run(capsys, "synthesize", path, *options)
    status, said, _ = run(capsys, "summary", path)
    assert status == 0
    assert "planted among the hidden files: train/XR_ELBOW/patient00001/study1_negative/._image1.png" in planted
    for line in planted.splitlines()[1:]:
        assert line.rsplit(": ", 1)[1] in said


def test_most_told_shortens_and_says_how_much_is_left(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in folder.glob("train/**/image1.png"):
        path.unlink()
    _, said, _ = run(capsys, "summary", folder, "--quick", "--most-told", 1)
    assert said.count("is listed and not there") == 1
    assert said.endswith(" more\n")


def test_progress_is_shown_on_a_terminal_on_standard_error(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    images = len(list(folder.rglob("*.png")))
    _, said, err = run(capsys, "summary", folder, "--json")
    assert json.loads(said)
    assert "Opening images" in err
    assert f"{images}/{images}" in err


def test_dicom_files_with_a_table_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "images", "1.dcm")
    label(tmp_path, "path,label", "1.dcm,abnormal", name="verdicts.csv")
    status, said, _ = run(capsys, "summary", tmp_path / "images", "--labels", tmp_path / "verdicts.csv")
    assert status == 0
    assert "images    unsplit normal  unsplit abnormal\n" in said
    assert "WRIST                  0                 1\n" in said


def test_folder_of_neither_layout_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said, err = run(capsys, "summary", tmp_path)
    assert (status, said) == (1, "")
    assert err == (
        f"{tmp_path} holds neither the lists of MURA (train_image_paths.csv) nor a table of labels for DICOM "
        "files (labels.csv); docs/datasets.md tells both layouts.\n"
    )


def test_table_without_labels_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label(tmp_path, "path,class")
    status, _, err = run(capsys, "summary", tmp_path)
    assert status == 1
    assert err.startswith(
        f"The labels {tmp_path / 'labels.csv'} have the columns path, class; a column 'label'"
    )


def test_folder_that_does_not_exist_is_a_mistake_in_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "summary", tmp_path / "nowhere")[0] == 2


def test_nothing_is_drawn_into_a_folder_in_use(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said, err = run(capsys, "synthesize", folder)
    assert (status, said) == (1, "")
    assert err == f"{folder} is not an empty folder; a data set is drawn into a new one.\n"
