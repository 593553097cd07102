"""The command sets of C-STORE, against pynetdicom's general reader and writer."""

from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import decode, encode

from worklist.receiver.command import StoreCommand, elements, store_command, store_response

UIDS = st.from_regex(r"[12](\.[1-9][0-9]{0,6}){1,6}", fullmatch=True)


def request(sop_class_uid: str, sop_instance_uid: str, message_id: int) -> bytes:
    primitive = C_STORE()
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = sop_class_uid, sop_instance_uid
    primitive.MessageID, primitive.Priority = message_id, 2
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    encoded = encode(message.command_set, True, True)
    assert encoded is not None
    return encoded


@given(UIDS, UIDS, st.integers(0, 65535))
def test_request_is_read_as_it_was_meant(sop_class_uid: str, sop_instance_uid: str, message_id: int) -> None:
    command = store_command(elements(request(sop_class_uid, sop_instance_uid, message_id)))
    # The message has no data set, and says so.
    assert command == StoreCommand(message_id, sop_class_uid, sop_instance_uid, has_data_set=False)


@given(UIDS, UIDS, st.integers(0, 65535), st.sampled_from([0, 0xA700, 0xC000]), st.text(max_size=100))
def test_response_is_a_valid_command_set(
    sop_class_uid: str, sop_instance_uid: str, message_id: int, status: int, comment: str
) -> None:
    response = store_response(StoreCommand(message_id, sop_class_uid, sop_instance_uid, True), status, comment)
    read = decode(BytesIO(response), True, True)
    assert read.CommandGroupLength == len(response) - 12
    assert (read.CommandField, read.CommandDataSetType) == (0x8001, 0x0101)
    assert (read.MessageIDBeingRespondedTo, read.Status) == (message_id, status)
    assert (read.AffectedSOPClassUID, read.AffectedSOPInstanceUID) == (sop_class_uid, sop_instance_uid)
    assert len(str(read.get("ErrorComment", ""))) <= 64
    assert list(elements(response)) == sorted(elements(response))


@given(st.binary(max_size=200))
def test_anything_else_is_a_value_error(encoded: bytes) -> None:
    with suppress(ValueError):
        store_command(elements(encoded))


@pytest.mark.parametrize("encoded", [b"", bytes(7), b"\x08\0\x16\0\0\0\0\0", b"\0\0\0\x01\xff\0\0\0\x01"])
def test_what_is_no_command_is_refused(encoded: bytes) -> None:
    with pytest.raises(ValueError, match="command set"):
        store_command(elements(encoded))
