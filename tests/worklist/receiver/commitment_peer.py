"""A modality that asks for storage commitment, as a process of its own.

``python commitment_peer.py new|same RECEIVER_PORT OWN_PORT SECONDS TRANSACTION_UID CLASS INSTANCE ...`` prints
the status of its N-ACTION and then the report, each as one line of JSON.
"""

import json
import sys
from contextlib import suppress
from queue import Empty, Queue

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel

WELL_KNOWN = "1.2.840.10008.1.20.1.1"
reports: Queue[dict] = Queue()


def on_report(event):
    information = event.event_information
    reports.put(
        {
            "event_type": event.event_type,
            "transaction_uid": information.TransactionUID,
            "calling": event.assoc.requestor.ae_title,
            "committed": [
                item.ReferencedSOPInstanceUID for item in information.get("ReferencedSOPSequence", [])
            ],
            "failed": {
                item.ReferencedSOPInstanceUID: item.FailureReason
                for item in information.get("FailedSOPSequence", [])
            },
        }
    )
    return 0x0000, None


def request(transaction_uid, references):
    information = Dataset()
    information.TransactionUID = transaction_uid
    information.ReferencedSOPSequence = []
    for sop_class_uid, sop_instance_uid in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
        information.ReferencedSOPSequence.append(item)
    return information


def main(mode, receiver_port, own_port, seconds, transaction_uid, *uids):
    entity = AE(ae_title="COMMITTER")
    entity.add_requested_context(StorageCommitmentPushModel)
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    handlers = [(evt.EVT_N_EVENT_REPORT, on_report)]
    server = entity.start_server(("127.0.0.1", int(own_port)), block=False, evt_handlers=handlers)
    association = entity.associate("127.0.0.1", int(receiver_port), ae_title="WORKLIST", evt_handlers=handlers)
    status, _ = association.send_n_action(
        request(transaction_uid, list(zip(uids[::2], uids[1::2], strict=True))),
        1,
        StorageCommitmentPushModel,
        WELL_KNOWN,
    )
    say({"status": status.Status})
    if mode == "new":
        association.release()
    with suppress(Empty):
        say(reports.get(timeout=float(seconds)))
    if mode == "same":
        association.release()
    server.shutdown()


def say(value):
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
