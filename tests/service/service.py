"""Parts of a service on this machine, and what must hold of its tables and folders."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pydicom
import sqlalchemy as sa
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage

from monai_ich.core.geometry import Geometry
from monai_ich.core.volume import CTVolume
from monai_ich.dicom.write import write_ct_series
from monai_ich.service.admit import Status, admit
from monai_ich.service.database import Database, require_folder
from monai_ich.service.send import Sender
from monai_ich.service.settings import Destination, Settings
from monai_ich.service.states import ENDS, Sending
from monai_ich.service.tables import instance, outbox, result, series
from monai_ich.service.work import Worker
from tests.conftest import ROOT
from tests.service.fake import Fake

_FORK = multiprocessing.get_context("fork")
NAME, PATIENT = "DOE^JANE", "ZQ4711"


def forked(what: Callable[[], object]) -> BaseProcess:
    """Call it in a process of its own, which can be killed for real and starts in no time."""
    process = _FORK.Process(target=what, daemon=True)
    process.start()
    return process


def free_port() -> int:
    """One that nobody listens to."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def head(folder: Path, *, count: int = 12, value: int = 35) -> list[Path]:
    """Small CT images of one series: a cube of brain in air, a new study each time."""
    hu = np.full((16, 16, count), -1000.0, np.float32)
    hu[3:13, 3:13] = value
    hu += np.arange(count, dtype=np.float32) % 3
    affine = np.diag([-12.0, -12.0, 8.0, 1.0])
    write_ct_series(
        CTVolume(hu, Geometry((16, 16, count), affine)),
        folder,
        seed=secrets.randbelow(1 << 40),
        slice_thickness_mm=8.0,
    )
    paths = sorted(folder.glob("*.dcm"))
    for path in paths:
        image = pydicom.dcmread(path)
        image.PatientName, image.PatientID, image.AccessionNumber = NAME, PATIENT, "ACC-9"
        image.save_as(path)
    return paths


class Service:
    """Roles called step by step in this process, on a database of their own."""

    def __init__(self, folder: Path, **values: object) -> None:
        url = str(values.pop("database", ""))
        start = {"settle_s": 0.0, "reserve_bytes": 0, "send_wait_s": 0.0}
        self.settings = replace(Settings(folder, database=url), **(start | values))  # type: ignore[arg-type]
        require_folder(folder)
        self.db = Database(self.settings.database_url)
        self.db.migrate()

    def admit(self, paths: Iterable[Path], **names: str) -> list[Status]:
        """As C-STORE does."""
        return [admit(self.db, self.settings, path, **names) for path in paths]

    def work(self, analyze: object = None) -> None:
        """Until nothing waits."""
        worker = Worker(self.db, self.settings, "here/work", analyze or Fake())  # type: ignore[arg-type]
        while worker.step():
            pass

    def send(self) -> None:
        """Until nothing is due."""
        for place in self.settings.destinations:
            sender = Sender(self.db, self.settings, "here/send", place)
            while sender.step():
                pass

    def rows(self, table: sa.Table) -> list[sa.Row]:  # type: ignore[type-arg]
        """Every row."""
        with self.db.read() as link:
            return list(link.execute(sa.select(table)))

    def states(self) -> list[str]:
        """Of each series, with its reason."""
        return [f"{r.state} {r.reason}".strip() for r in self.rows(series)]


def archive_at(port: int, **values: object) -> Destination:
    """A C-STORE destination on this machine."""
    return replace(Destination("archive", host="127.0.0.1", port=port), **values)  # type: ignore[arg-type]


def require_kept(service: Service, acknowledged: Iterable[Path]) -> None:
    """Each acknowledged image has its row and, byte for byte, its file."""
    rows = {r.sop_uid: r for r in service.rows(instance)}
    for path in acknowledged:
        image = pydicom.dcmread(path)
        row = rows[image.SOPInstanceUID]
        kept = pydicom.dcmread(service.settings.data / row.path)
        assert kept.PixelData == image.PixelData and kept.to_json() == image.to_json()


def require_ended(service: Service) -> None:
    """Each series came to its end, with a reason where it has no result."""
    for row in service.rows(series):
        assert row.state in ENDS, row
        assert row.owner == ""
    held = {(r.series_id, r.generation) for r in service.rows(result)}
    for row in service.rows(series):
        assert ((row.id, row.generation) in held) == (row.state in ("analyzed", "sent")), row


def require_sent_once(service: Service, folder: Path) -> None:
    """The archive holds each object of each result that holds, all under one content."""
    kept = [path.name.split("_")[0] for path in folder.iterdir()]
    assert len(kept) == len(set(kept)), "an object was sent with other bytes"
    valid = {r.id for r in service.rows(result) if r.superseded_at is None}
    wanted = {r.sop_uid for r in service.rows(outbox) if r.result_id in valid}
    assert wanted <= set(kept)
    assert all(r.state == Sending.SENT for r in service.rows(outbox) if r.result_id in valid)


def start(
    role: str, data: Path, *more: str, crash_at: str = "", inside: Iterable[str] = ()
) -> subprocess.Popen[bytes]:
    """A role, or with an empty name the whole service, as a process; `inside` a network of its
    own.
    """
    words = ["serve", "--data", str(data), "--pipeline", "tests.service.fake:load", *more]
    words += ["--role", role] if role else []
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment.pop("MONAI_ICH_CRASH_AT", None)
    if crash_at:
        environment["MONAI_ICH_CRASH_AT"] = crash_at
    log = (data / "test.log").open("ab")
    return subprocess.Popen(
        [*inside, sys.executable, "-m", "monai_ich.cli", *words],
        env=environment,
        stdout=log,
        stderr=log,
    )


def wait_for(what: Callable[[], object], seconds: float = 300.0, pause_s: float = 0.1) -> None:
    """Until it is true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come"
        time.sleep(pause_s)


def is_open(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def c_store(port: int, paths: Iterable[Path]) -> list[Path]:
    """Send images; those that were answered 0x0000. A receiver that dies ends it."""
    entity = AE(ae_title="TEST")
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = 200.0
    entity.add_requested_context(CTImageStorage)
    link = entity.associate("127.0.0.1", port)
    taken = []
    if link.is_established:
        for path in paths:
            try:
                status = link.send_c_store(pydicom.dcmread(path))
            except (RuntimeError, ValueError):
                break
            if "Status" not in status:  # no answer in time
                link.abort()
                return taken
            if status.Status == 0:
                taken.append(path)
        link.release()
    return taken


def digest(folder: Path, pattern: str = "**/*.dcm") -> str:
    """Of all files of a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.glob(pattern)):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()
