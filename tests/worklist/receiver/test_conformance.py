"""The conformance statement says what the code does."""

import re
from pathlib import Path

import pytest
from pynetdicom import _config

from tests.worklist.receiver.modality import Site
from worklist import settings
from worklist.certificates import CIPHERS
from worklist.dicom import file_meta
from worklist.dicom.commitment import SOP_INSTANCE_UID, FailureReason
from worklist.dicom.decoding import NATIVE, PLUGINS
from worklist.holdings import search
from worklist.holdings.attributes import COLUMNS, COUNTED, Level
from worklist.intake import commitments
from worklist.intake.scope import RADIOGRAPHS
from worklist.receiver import entity, hardening, places
from worklist.receiver.statuses import Status
from worklist.sender import call

STATEMENT = (Path(__file__).resolve().parents[3] / "docs/conformance.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """Return the part below a heading, up to the next one."""
    return re.split(r"^#+ ", STATEMENT.split(f"{title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def uids(text: str) -> set[str]:
    """Return the UIDs of DICOM that end a row of a table."""
    return set(re.findall(r"\| (1\.2\.840\.10008[.0-9]+) \|$", text, re.MULTILINE))


def statuses(text: str) -> set[int]:
    """Return the statuses that begin a row of a table."""
    return {int(found, 16) for found in re.findall(r"^\| (0x[0-9A-F]{4}) \|", text, re.MULTILINE)}


def said(text: str) -> bool:
    """Say if the statement holds a text, however its lines are broken."""
    return text in " ".join(STATEMENT.split())


def test_every_service_is_in_the_overview() -> None:
    offered = entity.application_entity(settings.load()).supported_contexts
    overview = section("## 1 Overview")
    assert [
        str(each.abstract_syntax) for each in offered if f"| {each.abstract_syntax} |" not in overview
    ] == []


def test_transfer_syntaxes_that_can_be_shown_are_those_that_are_decoded() -> None:
    contexts = section("#### Presentation contexts")
    assert {uid for uid in uids(contexts) if uid.startswith("1.2.840.10008.1.2")} == {
        str(uid) for uid in (*NATIVE, *PLUGINS)
    }
    assert {uid for uid in uids(contexts) if ".5.1." in uid} == RADIOGRAPHS


def test_every_status_stands_with_its_service() -> None:
    commitment = section("#### Storage commitment (PS3.4 Annex J)")
    services = [
        statuses(section("#### Storage (PS3.4 Annex B)")),
        statuses(commitment.split("An instance is committed")[0]),
        statuses(section("#### Modality Performed Procedure Step (PS3.4 Annex F)")),
        statuses(section("#### Query (PS3.4 C.4.1)")),
        statuses(section("#### Retrieval (PS3.4 C.4.2, C.4.3)")),
    ]
    assert set().union(*services) == {int(each) for each in Status}
    assert statuses(commitment.split("An instance is committed")[1]) == {int(each) for each in FailureReason}
    assert SOP_INSTANCE_UID in commitment


@pytest.mark.parametrize(
    "text",
    [
        f"| Implementation class UID | {file_meta.IMPLEMENTATION_CLASS_UID} |",
        f"| Implementation version name | `{file_meta.IMPLEMENTATION_VERSION_NAME}` |",
        f"| {hardening.ANNOUNCED_PDU_BYTES} bytes; up to {hardening.LARGEST_PDU_BYTES} are taken |",
        f"| Association request must arrive within | {entity.NEGOTIATION_SECONDS} s of",
        f"| A PDU, once begun, must arrive within | {hardening.STALL_SECONDS:g} s |",
        f"| Silent association is aborted after | {places.IDLE_SECONDS // 3600} hours; "
        f"after {places.GRANTED_SECONDS} s if",
        f"Connection within {call.CONNECTION_SECONDS:g} s, answers within {call.ANSWER_SECONDS:g} s.",
        f"more than {search.MOST_MATCHES} matches",
        f"more than {search.MOST_FILES} images",
        f"again after {commitments.FIRST_PAUSE.seconds} seconds",
    ],
)
def test_limits_and_identifiers_are_those_of_the_code(text: str) -> None:
    assert said(text)


@pytest.mark.parametrize("level", Level)
def test_keys_are_those_of_the_code(level: Level) -> None:
    (row,) = re.findall(rf"^\| {level} \| (.*) \|$", STATEMENT, re.MULTILINE)
    assert set(re.findall(r"[A-Z]\w+", row.replace("(single values and lists)", ""))) == {
        *COLUMNS[level],
        *COUNTED[level],
    }


def test_defaults_are_those_of_the_settings() -> None:
    defaults = settings.Settings()
    assert said(f"| {defaults.maximum_associations} (`WORKLIST_MAXIMUM_ASSOCIATIONS`)")
    assert said(f"port {defaults.receiver_port} (`WORKLIST_RECEIVER_PORT`)")
    assert said(f"{defaults.tls_port} for TLS (`WORKLIST_TLS_PORT`)")
    assert (commitments.LONGEST_PAUSE.seconds, commitments.GIVEN_UP_AFTER.days) == (3600, 3)
    assert CIPHERS == "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"


def test_peers_see_our_implementation(receiving: Site) -> None:
    with receiving.association() as association:
        assert association.acceptor.implementation_class_uid == file_meta.IMPLEMENTATION_CLASS_UID
        assert association.acceptor.implementation_version_name == file_meta.IMPLEMENTATION_VERSION_NAME
    assert _config.UNRESTRICTED_STORAGE_SERVICE
