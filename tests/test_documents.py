"""The documents know everything a site can set, see or run; and what they point to exists."""

import re
import subprocess
from pathlib import Path

import click
import pytest

from worklist import audit, jobs, settings
from worklist.cli import worklist as command_line
from worklist.receiver.statuses import Status

ROOT = Path(__file__).resolve().parent.parent
HEADINGS = ["Context", "Decision", "Consequences", "Alternatives", "References"]
DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
# Written so that this file does not find itself.
FORBIDDEN = {
    "a folder of one computer": re.compile(r"/(?:root|home/[a-z]+|work)/[a-z.]"),
    "a package mirror": re.compile(r"(?:artifactory|nexus|devpi|/simple/?\b.*index-url)", re.IGNORECASE),
}


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def tracked():
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in names.splitlines() if (ROOT / name).is_file()]


def commands(group, prefix=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))
        else:
            yield " ".join((*prefix, name))


def test_every_setting_is_described_with_its_default():
    document = text_of("docs/settings.md")
    missing = [
        name
        for name, field in settings.Settings.model_fields.items()
        if not re.search(rf"^\| `WORKLIST_{name.upper()}` \|.*\|.*\|$", document, re.MULTILINE)
    ]
    assert missing == []


def test_no_setting_is_described_that_does_not_exist():
    described = set(re.findall(r"^\| `WORKLIST_([A-Z_]+)` \|", text_of("docs/settings.md"), re.MULTILINE))
    assert described - {name.upper() for name in settings.Settings.model_fields} == set()


@pytest.mark.parametrize("name", settings.SECRETS)
def test_every_secret_is_described_as_a_file_too(name):
    assert f"`WORKLIST_{name.upper()}_FILE`" in text_of("docs/settings.md")


def test_every_job_and_queue_is_described():
    document = text_of("docs/jobs.md")
    names = [job.name for job in jobs.JOBS] + [queue.value for queue in jobs.Queue]
    assert [name for name in names if f"`{name}`" not in document] == []


def test_every_audit_action_is_described():
    document = text_of("docs/audit.md")
    assert [action for action in audit.ACTIONS if f"`{action}`" not in document] == []


def test_no_audit_action_is_described_that_does_not_exist():
    described = set(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \|", text_of("docs/audit.md"), re.MULTILINE))
    assert described - set(audit.ACTIONS) == set()


def test_every_status_that_the_receiver_answers_is_described():
    documents = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))
    assert [f"0x{status.value:04X}" for status in Status if f"0x{status.value:04X}" not in documents] == []


def test_every_command_is_described():
    documents = text_of("README.md") + "".join(path.read_text() for path in (ROOT / "docs").rglob("*.md"))
    assert [name for name in commands(command_line) if f"worklist {name}" not in documents] == []


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_record_is_one_page_with_the_five_headings(path):
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert re.match(rf"# {path.stem[:4]} \S", text)
    assert len(text.splitlines()) <= 70


def test_every_decision_record_stands_in_the_index_and_numbers_have_no_gap():
    index = text_of("docs/decisions/README.md")
    assert [path.name for path in DECISIONS if f"({path.name})" not in index] == []
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_what_the_documents_link_to_exists():
    dead = []
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
            if "://" not in target and not target.startswith("mailto:") and not (path.parent / target).exists():
                dead.append(f"{path.relative_to(ROOT)}: {target}")
    assert dead == []


def test_no_tracked_file_names_a_folder_of_one_computer_or_a_package_mirror():
    found = []
    for name in tracked():
        if name == "tests/test_documents.py" or name.startswith("web/static/viewer/"):
            continue
        try:
            text = text_of(name)
        except UnicodeDecodeError:
            continue
        found += [f"{name}: {what}" for what, pattern in FORBIDDEN.items() if pattern.search(text)]
    assert found == []
