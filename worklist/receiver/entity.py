"""The application entity that modalities send to: what it accepts, and at which ports."""

import errno
from typing import Any

from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, evt
from pynetdicom.sop_class import Verification

from worklist.certificates import ServerCertificates
from worklist.dicom import file_meta
from worklist.errors import Unavailable
from worklist.receiver import commitment, handlers, performed_step, query, retrieve
from worklist.receiver.hardening import ANNOUNCED_PDU_BYTES, HardenedHandler, HardenedServer
from worklist.receiver.places import IDLE_SECONDS
from worklist.receiver.services import SERVICES
from worklist.receiver.tls import TlsServer
from worklist.settings import Settings

NEGOTIATION_SECONDS = 30


def listen(current: Settings, port: int) -> list[Any]:
    """Bind the plain port, the TLS port, or one port that is TLS only; they share the limit of associations.

    Raises
    ------
    Unavailable
        If a port is taken.
    Invalid
        If TLS is asked for with files that cannot be used.
    """
    certificates = ServerCertificates(current) if current.uses_tls else None
    entity = application_entity(current)
    if certificates is None:
        return [_bind(entity, current, port, "RECEIVER_PORT")]
    if current.tls_port == current.receiver_port:
        return [_bind(entity, current, port, "TLS_PORT", certificates)]
    plain = _bind(entity, current, port, "RECEIVER_PORT")
    try:
        return [plain, _bind(entity, current, current.tls_port, "TLS_PORT", certificates)]
    except BaseException:
        plain.server_close()
        raise


def _bind(
    entity: AE, current: Settings, port: int, setting: str, certificates: ServerCertificates | None = None
) -> Any:
    try:
        server = entity.make_server(
            (current.receiver_host, port),
            evt_handlers=[
                (evt.EVT_REQUESTED, handlers.on_requested, [current]),
                (evt.EVT_REJECTED, handlers.on_rejected, [current]),
                (evt.EVT_ACCEPTED, handlers.on_accepted),
                (evt.EVT_C_ECHO, handlers.on_c_echo),
                (evt.EVT_N_CREATE, performed_step.on_n_create),
                (evt.EVT_N_SET, performed_step.on_n_set),
                (evt.EVT_N_ACTION, commitment.on_n_action),
                (evt.EVT_C_FIND, query.on_c_find),
                (evt.EVT_ESTABLISHED, retrieve.attach),
            ],
            server_class=TlsServer if certificates else HardenedServer,
            request_handler=HardenedHandler,
        )
    except OSError as error:
        raise Unavailable(_why_not(error, current.receiver_host, port, setting)) from error
    server.store = handlers.on_c_store
    if certificates is not None:
        server.certificates = certificates
    entity._servers.append(server)
    return server


def application_entity(current: Settings) -> AE:
    """Return what we offer: SOP classes, limits, and who we say we are."""
    entity = AE(ae_title=current.ae_title)
    entity.implementation_class_uid = file_meta.IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = file_meta.IMPLEMENTATION_VERSION_NAME
    # Storage needs no contexts here: unrestricted, every class and every transfer syntax is accepted.
    entity.add_supported_context(Verification, ALL_TRANSFER_SYNTAXES)
    for sop_class in SERVICES:
        entity.add_supported_context(sop_class)
    entity.maximum_associations = current.maximum_associations
    entity.maximum_pdu_size = ANNOUNCED_PDU_BYTES
    entity.network_timeout = IDLE_SECONDS
    entity.acse_timeout = NEGOTIATION_SECONDS
    return entity


def _why_not(error: OSError, host: str, port: int, setting: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is taken: stop the program that listens there, or set WORKLIST_{setting}."
    return f"The receiver cannot listen on {host}:{port}: {error.strerror}."
