"""A whole service as processes, with an archive for its results."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydicom.dataset import FileDataset
from pydicom.uid import generate_uid

from tests.service.fake import keep
from tests.service.service import Service, free_port, is_open, start, wait_for

REAL = ("--pipeline", "monai_ich.service.analyzer:load")  # words of `site` for the networks


@dataclass
class Site:
    """A service that runs: folder, DICOM and web port, the supervisor and its words."""

    root: Path
    port: int
    web: int
    process: subprocess.Popen[bytes]
    words: tuple[str, ...]

    @property
    def data(self) -> Path:
        """Of the service."""
        return self.root / "data"

    @property
    def archive(self) -> Path:
        """What the archive took."""
        return self.root / "archive"

    def service(self) -> Service:
        """Its tables."""
        return Service(self.data)

    def is_ready(self) -> bool:
        """All roles are alive, the weights loaded."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.web}/readyz", timeout=5):
                return is_open(self.port)
        except (urllib.error.URLError, OSError):
            return False

    def children(self) -> list[psutil.Process]:
        """The roles."""
        return psutil.Process(self.process.pid).children()

    def kill_supervisor(self) -> None:
        """``kill -9``; the roles end with it."""
        self.process.kill()
        self.process.wait()
        wait_for(lambda: not is_open(self.port) and not is_open(self.web))

    def restart(self) -> None:
        """Anew, after its end."""
        self.process = start("", self.data, *self.words)


@contextmanager
def site(root: Path, settings: str = "", words: tuple[str, ...] = ()) -> Iterator[Site]:
    """Start one, not yet ready; it ends in the end.

    Args:
        root: gets the data folder and the archive's.
        settings: more lines of ``service.toml``.
        words: more of the command line.
    """
    port, web, to = free_port(), free_port(), free_port()
    data, kept = root / "data", root / "archive"
    data.mkdir()
    kept.mkdir()
    (data / "service.toml").write_text(
        f"dicom_port = {port}\nweb_port = {web}\nreserve_bytes = 0\n{settings}"
        f'[[destination]]\nname = "archive"\nhost = "127.0.0.1"\nport = {to}\n'
    )
    archive = keep(to, kept)
    made = Site(root, port, web, start("", data, *words), words)
    try:
        yield made
    finally:
        made.process.terminate()
        made.process.wait(60)
        archive.shutdown()  # type: ignore[attr-defined]


def renew(images: Iterable[FileDataset]) -> Iterator[FileDataset]:
    """The same images as another study, one by one: it is analyzed anew."""
    study, series = generate_uid(), generate_uid()
    for image in images:
        image.StudyInstanceUID, image.SeriesInstanceUID = study, series
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        yield image
