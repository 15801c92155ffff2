"""Storage commitment: the archive says that it keeps an object, not only that it took it.

Only answers on the same association are waited for; an archive that reports later, on one of its
own, says nothing within the time, and the object is asked about again.

References:
    DICOM PS3.4 J (Storage Commitment Push Model).
"""

from __future__ import annotations

import ssl
import threading
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from monai_ich.core.errors import SendError
from monai_ich.io.quiet import quiet
from monai_ich.service.settings import Destination

_WAIT_S = 20.0
_REQUEST, _COMMITTED = 1, 1


def commit(place: Destination, path: Path, tls: ssl.SSLContext | None) -> str:
    """Ask for one object; why the archive does not commit itself, empty where it does.

    Raises:
        SendError: ``NOT_COMMITTED`` where it says nothing in time.
    """
    with quiet("pydicom"), quiet("pynetdicom"):
        header = pydicom.dcmread(path, specific_tags=["SOPClassUID", "SOPInstanceUID"])
        item, asked = Dataset(), Dataset()
        item.ReferencedSOPClassUID = header.SOPClassUID
        item.ReferencedSOPInstanceUID = header.SOPInstanceUID
        asked.TransactionUID, asked.ReferencedSOPSequence = generate_uid(), Sequence([item])
        answered, said = threading.Event(), [0]

        def report(event: evt.Event) -> tuple[int, None]:
            if event.event_information.TransactionUID == asked.TransactionUID:
                said[0] = event.event_type or 0
                answered.set()
            return 0, None

        entity = AE(ae_title=place.calling)
        entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = _WAIT_S
        entity.add_requested_context(StorageCommitmentPushModel)
        link = entity.associate(
            place.host,
            place.port,
            ae_title=place.called,
            tls_args=(tls, place.host) if tls is not None else None,
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, report)],
        )
        if not link.is_established:
            raise SendError("NOT_COMMITTED", "The archive gave no answer about commitment.")
        try:
            status, _ = link.send_n_action(
                asked, _REQUEST, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
            )
            if status.get("Status") != 0:
                return "the archive knows no storage commitment"
            if not answered.wait(_WAIT_S):
                raise SendError("NOT_COMMITTED", "The archive did not commit itself in time.")
        finally:
            link.release()
    return "" if said[0] == _COMMITTED else "the archive does not commit itself"
