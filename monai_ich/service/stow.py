"""STOW-RS: what a DICOMweb client posts is admitted like what comes by C-STORE.

References:
    DICOM PS3.18 10.5 (Store), table 10.5.3-1 (what is answered).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from email.message import Message
from pathlib import Path
from typing import IO, Any

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser
from starlette.concurrency import run_in_threadpool

from monai_ich.core.errors import InputError
from monai_ich.service.admit import Status, admit
from monai_ich.service.database import Database
from monai_ich.service.originals import has_room, read_header
from monai_ich.service.settings import Settings

_MOST_PARTS = 10_000
_STORED = (Status.SUCCESS, Status.OTHER_BYTES)


class Parts:
    """Splits a multipart body into files as it comes."""

    def __init__(self, content_type: str, folder: Path) -> None:
        message = Message()
        message["content-type"] = content_type
        boundary = message.get_boundary()
        if message.get_content_type() != "multipart/related" or not boundary:
            raise InputError(
                "NOT_MULTIPART", "STOW-RS needs multipart/related; type=application/dicom."
            )
        self.folder, self.paths, self.is_whole = folder, list[Path](), False
        self._file: IO[bytes] | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_part_data": self._data,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )

    def feed(self, block: bytes) -> None:
        """Take the next bytes of the body."""
        try:
            self._parser.write(block)
        except MultipartParseError:
            raise _broken() from None

    def _begin(self) -> None:
        if len(self.paths) >= _MOST_PARTS:
            raise InputError("TOO_LARGE", "A request of STOW-RS holds too many objects.")
        handle, name = tempfile.mkstemp(suffix=".dcm", dir=self.folder)
        self._file = os.fdopen(handle, "wb")
        self.paths.append(Path(name))

    def _data(self, data: bytes, start: int, end: int) -> None:
        assert self._file is not None
        self._file.write(data[start:end])

    def _end_part(self) -> None:
        assert self._file is not None
        self._file.close()

    def _end(self) -> None:
        self.is_whole = True


def _broken() -> InputError:
    return InputError(
        "BROKEN_BODY", "The body of the request breaks off or is no multipart: nothing was stored."
    )


async def store(
    db: Database,
    settings: Settings,
    content_type: str,
    body: AsyncIterator[bytes],
    *,
    study_uid: str = "",
) -> tuple[int, dict[str, Any]]:
    """HTTP status and DICOM JSON.

    Args:
        db, settings: of the service.
        content_type: header of the request.
        body: of the request.
        study_uid: of its address; objects of another study fail. Empty for any.

    Raises:
        InputError: ``NOT_MULTIPART``, ``BROKEN_BODY``, ``TOO_LARGE``.
    """
    with tempfile.TemporaryDirectory(dir=settings.data / "incoming") as folder:
        parts = Parts(content_type, Path(folder))
        async for block in body:
            if not has_room(settings):
                return 503, {}
            try:
                await run_in_threadpool(parts.feed, block)
            except OSError:  # the disk is full: like C-STORE, not now
                return 503, {}
        if not parts.is_whole:
            raise _broken()
        return await run_in_threadpool(_admit_all, db, settings, parts.paths, study_uid)


def _admit_all(
    db: Database, settings: Settings, paths: list[Path], study_uid: str
) -> tuple[int, dict[str, Any]]:
    stored, failed = [], []
    statuses = []
    for path in paths:
        header = read_header(path)
        is_elsewhere = header is not None and study_uid not in ("", header.study_uid)
        status = Status.OTHER_STUDY if is_elsewhere else admit(db, settings, path)
        statuses.append(status)
        item: dict[str, Any] = {}
        if header is not None:
            item["00081150"] = {"vr": "UI", "Value": [header.sop_class]}
            item["00081155"] = {"vr": "UI", "Value": [header.sop_uid]}
        if status in _STORED:
            if status is not Status.SUCCESS:
                item["00081196"] = {"vr": "US", "Value": [int(status)]}
            stored.append(item)
        else:
            item["00081197"] = {"vr": "US", "Value": [int(status)]}
            failed.append(item)
    answer = {}
    if stored:
        answer["00081199"] = {"vr": "SQ", "Value": stored}
    if failed:
        answer["00081198"] = {"vr": "SQ", "Value": failed}
    if not stored:
        return (503 if Status.NO_ROOM in statuses else 409), answer
    return (200 if set(statuses) == {Status.SUCCESS} else 202), answer
