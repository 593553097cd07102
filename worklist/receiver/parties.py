"""Who speaks to whom on an association."""

from typing import Any

from worklist.intake import sources
from worklist.receiver.keeping import Sender


def sender_of(association: Any) -> Sender:
    """Return who has opened an association, and whom they called."""
    request = association.requestor.primitive
    return Sender(
        calling=str(request.calling_ae_title).strip(),
        called=str(request.called_ae_title).strip(),
        address=sources.canonical(association.requestor.address_info.address),
    )
