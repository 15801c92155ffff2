"""What several commands share."""

from __future__ import annotations

import argparse
import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from monai_ich.core.errors import InputError, OutputError

if TYPE_CHECKING:
    from monai_ich.core.labels import LabelSet
    from monai_ich.core.volume import LabelMap
    from monai_ich.io.read import Scan


_PATIENCE_S = 5.0


class Stopped(KeyboardInterrupt):
    """The process was told to stop; raised where it is, so that what is half-written goes.

    Compiled code of others that waits, such as Ray's, gives up waiting for this kind of exception only.

    Args:
        signal: which signal told it.
    """

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal


@contextmanager
def stopped_cleanly() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP raise `Stopped` meanwhile (in the main thread; elsewhere Python has no say).

    One that comes soon after the first is no second wish (a closed terminal sends two) and must not stop the sweeping.
    One that is ignored, as under ``nohup``, stays so.
    """
    last_s, told = -math.inf, int(signal.SIGINT)

    def stop(number: int, frame: object) -> None:
        nonlocal last_s, told
        if time.monotonic() - last_s > _PATIENCE_S:
            last_s, told = time.monotonic(), number
            raise Stopped(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    names = [name for name in names if signal.getsignal(name) != signal.SIG_IGN]
    before = {name: signal.signal(name, stop) for name in names}
    try:
        yield
    except KeyboardInterrupt:  # others raise one of their own for ours
        before = dict.fromkeys(before, signal.SIG_IGN)  # scratch folders go until Python has ended
        raise Stopped(told) from None
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def add_reading(sub: argparse.ArgumentParser) -> None:
    """Add the options of how a CT is read."""
    sub.add_argument("--series", metavar="N", help="the series to take: its number in import --list, or its UID")
    sub.add_argument("--lenient", action="store_true", help="fill one missing slice of at most 6 mm, with a warning")
    sub.add_argument("--assume-hu", action="store_true", help="take values without a rescale as Hounsfield units")


def read_scan(args: argparse.Namespace, path: Path) -> Scan:
    """Read a CT as these options say."""
    from monai_ich.io.read import read_ct

    mode: Literal["lenient", "strict"] = "lenient" if args.lenient else "strict"
    return read_ct(path, series_uid=args.series, mode=mode, assume_hu=args.assume_hu)


def read_mask(path: Path, labels: LabelSet, scan: Scan | None) -> LabelMap:
    """Read labels; those of a DICOM SEG on the slices of the scan."""
    from monai_ich.io.read import read_labels

    if scan is None:
        return read_labels(path, labels)
    return read_labels(path, labels, grid=scan.volume.geometry, source=scan.source)


def usage_error(message: str) -> InputError:
    """Wrong usage: exit code 2."""
    return InputError("USAGE", message, exit_code=2)


def refuse_existing(args: argparse.Namespace) -> None:
    """Raise ``OUTPUT_EXISTS`` where the output file is there and may not be replaced."""
    if args.output.exists() and not args.overwrite:
        raise OutputError("OUTPUT_EXISTS", f"{args.output} exists: choose another name, or pass --overwrite.")
