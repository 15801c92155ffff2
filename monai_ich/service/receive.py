"""The role ``receive``: C-ECHO and C-STORE. Bytes are kept as they come, and a success is answered
when file and row are on disk.
"""

from __future__ import annotations

import logging
import shutil
import ssl
import tempfile
import threading
import uuid
from typing import Any

import sqlalchemy as sa
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, _config, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from monai_ich.core.errors import ServiceError
from monai_ich.io.quiet import quiet
from monai_ich.service.admit import Status, admit
from monai_ich.service.database import Database
from monai_ich.service.loop import repeat
from monai_ich.service.originals import has_room
from monai_ich.service.server import start_server
from monai_ich.service.settings import Settings
from monai_ich.service.tables import open_association

_LOG = logging.getLogger(__name__)
_IDLE_S = 60.0
_MOST_ASSOCIATIONS = 64
_PDU_BYTES = 131_072  # the most that DCMTK sends; pynetdicom takes 16 kB, an eighth
_TRANSIENT, _PROVIDER, _CONGESTION = 2, 3, 1


class Receiver:
    """A storage provider on the tables of the service.

    Images must lie on the disk of the data folder before they are linked to their place. pynetdicom
    writes them wherever `tempfile` says, so that it says so, from `start` to `stop`.
    """

    def __init__(self, db: Database, settings: Settings, owner: str) -> None:
        self.db, self.settings, self.owner = db, settings, owner
        self.server: Any = None
        self._names: dict[object, str] = {}
        self._tempdir_before: str | None = None

    def start(self) -> None:
        """Listen; what an earlier run left half received goes.

        Raises:
            ServiceError: ``PORT_TAKEN``, ``BAD_CERTIFICATE``.
        """
        incoming = self.settings.data / "incoming" / self.owner.replace("/", "_")
        shutil.rmtree(incoming, ignore_errors=True)
        incoming.mkdir(parents=True)
        self._tempdir_before, tempfile.tempdir = tempfile.tempdir, str(incoming)
        _config.STORE_RECV_CHUNKED_DATASET = True
        _config.LOG_HANDLER_LEVEL = "none"
        with self.db.write() as link:
            link.execute(open_association.delete().where(open_association.c.owner == self.owner))
        entity = AE(ae_title=self.settings.ae_title)
        entity.maximum_associations = _MOST_ASSOCIATIONS
        entity.maximum_pdu_size = _PDU_BYTES
        entity.network_timeout = entity.acse_timeout = entity.dimse_timeout = _IDLE_S
        entity.require_calling_aet = list(self.settings.callers)
        entity.require_called_aet = self.settings.require_called
        entity.add_supported_context(Verification)
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(str(context.abstract_syntax), ALL_TRANSFER_SYNTAXES)
        handlers: list[Any] = [
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_C_STORE, self._store),
            *((event, self._ended) for event in (evt.EVT_RELEASED, evt.EVT_ABORTED)),
            (evt.EVT_CONN_CLOSE, self._ended),
        ]
        address = (self.settings.dicom_host, self.settings.dicom_port)
        try:
            self.server = start_server(entity, address, handlers, _tls(self.settings))
        except OSError as error:
            raise ServiceError(
                "PORT_TAKEN",
                f"The DICOM port cannot be listened to ({error.strerror}).",
            ) from None

    def stop(self) -> None:
        """End listening."""
        if self.server is not None:
            self.server.shutdown()
            tempfile.tempdir = self._tempdir_before

    def _requested(self, event: evt.Event) -> None:
        self._names[event.assoc] = uuid.uuid4().hex
        if not has_room(self.settings):
            event.assoc.acse.send_reject(_TRANSIENT, _PROVIDER, _CONGESTION)
            _LOG.warning("association refused: free disk is below the reserve")

    def _store(self, event: evt.Event) -> int:
        request: Any = event.request
        name = self._names.get(event.assoc, "")
        try:
            status = admit(
                self.db,
                self.settings,
                event.dataset_path,
                sop_uid=str(request.AffectedSOPInstanceUID),
                association=name,
                owner=self.owner,
            )
        except Exception as error:  # whatever it was: not acknowledged, so the sender keeps it
            _LOG.error("an image was not taken: %s", type(error).__name__)
            return int(Status.NO_ROOM)
        if event.assoc not in self._names:  # the sender was killed meanwhile
            self._forget(name)
        return int(status)

    def _ended(self, event: evt.Event) -> None:
        known = self._names.pop(event.assoc, None)
        if known is not None:
            self._forget(known)

    def _forget(self, association: str) -> None:
        mine = open_association.c.association == association
        try:
            with self.db.write() as link:
                link.execute(open_association.delete().where(mine))
        except sa.exc.OperationalError:
            _LOG.warning("the end of an association was not noted: its series settle later")


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if not settings.dicom_cert:
        return None
    try:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(settings.dicom_cert, settings.dicom_key)
        if settings.dicom_ca:
            tls.load_verify_locations(settings.dicom_ca)
            tls.verify_mode = ssl.CERT_REQUIRED
    except OSError:
        raise ServiceError(
            "BAD_CERTIFICATE", "dicom_cert, dicom_key and dicom_ca must be PEM files."
        ) from None
    return tls


def run_receive(db: Database, settings: Settings, owner: str, stop: threading.Event) -> None:
    """Receive until told to stop."""
    with quiet("pynetdicom"):
        receiver = Receiver(db, settings, owner)
        receiver.start()
        try:
            repeat(lambda: False, stop, beat=lambda: db.beat(owner, "receive"))
        finally:
            receiver.stop()
