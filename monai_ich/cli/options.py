"""What several commands share."""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ich.core.errors import IchError, InputError, OutputError

if TYPE_CHECKING:
    from monai_ich.core.label_meaning import LabelMeaning
    from monai_ich.io.read import Scan


_PATIENCE_S = 5.0


class Stopped(KeyboardInterrupt):
    """The process was told to stop; raised where it is, so that what is half-written goes.

    Compiled code of others that waits, such as Ray's, gives up waiting for this kind of exception
    only.

    Args:
        signal: which signal told it.
    """

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal


@contextmanager
def stopped_cleanly() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP raise `Stopped` meanwhile (in the main thread; elsewhere Python
    has no say).

    One that comes soon after the first is no second wish (a closed terminal sends two) and must not
    stop the sweeping. One that is ignored, as under ``nohup``, stays so.
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
    names = [
        getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
    ]
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


def add_command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    """Add a command; `run` returns its exit code."""
    sub: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    sub.set_defaults(run=run)
    return sub


def add_output(sub: argparse.ArgumentParser, what: str) -> None:
    """Add ``-o``, a folder."""
    sub.add_argument("-o", "--output", type=Path, required=True, help=what)


def add_keep_ids(sub: argparse.ArgumentParser, what: str) -> None:
    """Add ``--keep-ids``."""
    sub.add_argument("--keep-ids", action="store_true", help=f"write {what} (left out by default)")


def add_device(sub: argparse.ArgumentParser) -> None:
    """Add ``--device``, ``--runtime`` and ``--no-second-reading``: where, by what and which
    networks are computed.
    """
    sub.add_argument("--device", help="cpu, cuda, cuda:1 (default: cuda where there is one)")
    sub.add_argument(
        "--runtime",
        default="torch",
        help="what computes the networks: torch (default), or on the CPU openvino or onnx, "
        "with the same labels",
    )
    sub.add_argument(
        "--no-second-reading",
        action="store_true",
        help="do not run the classification bundle besides",
    )


def device_of(args: argparse.Namespace) -> dict[str, Any]:
    """These options as overrides of the pipeline; refuses what cannot run before a scan is read."""
    from monai_ich.bundle.runtime import require_device, require_runtime

    require_runtime(args.runtime, args.device)
    if args.device is not None:
        require_device(args.device)
    once = {"second_reading": False} if args.no_second_reading else {}
    return {"device": args.device, "runtime": args.runtime, **once}


def add_reading(sub: argparse.ArgumentParser) -> None:
    """Add the options of how a CT is read."""
    sub.add_argument(
        "--series", metavar="N", help="the series to take: its number in import --list, or its UID"
    )
    sub.add_argument(
        "--lenient",
        action="store_true",
        help="fill one missing slice of at most 6 mm, with a warning",
    )
    sub.add_argument(
        "--assume-hu", action="store_true", help="take values without a rescale, or a window, as HU"
    )


def read_scan(args: argparse.Namespace, path: Path) -> Scan:
    """Read a CT as these options say."""
    from monai_ich.io.read import read_ct

    return read_ct(path, **reading_of(args))


def reading_of(args: argparse.Namespace) -> dict[str, Any]:
    """These options as arguments of `read_ct`."""
    mode = "lenient" if args.lenient else "strict"
    return {"series_uid": args.series, "mode": mode, "assume_hu": args.assume_hu}


def add_labels_are(sub: argparse.ArgumentParser) -> None:
    """Add the option that says what the values of a mask from elsewhere mean."""
    sub.add_argument(
        "--labels-are",
        metavar="MEANING",
        help="what the values of a mask of another program mean: SDH where it holds one, "
        "1=SDH,2=IPH,3=edema,4=ignore, "
        "monai-ich for 1 EDH, 2 IPH, 3 IVH, 4 SAH, 5 SDH, or any for blood whose subtype is "
        "not told",
    )


def add_operating_point(sub: argparse.ArgumentParser) -> None:
    """Add the option of how much of a drawn mask counts."""
    sub.add_argument(
        "--operating-point-ml",
        type=_volume_ml,
        default=0.0,
        metavar="ML",
        help="volume from which a subtype counts as present (default 0: any voxel)",
    )


def _volume_ml(text: str) -> float:
    ml = float(text)
    if not 0.0 <= ml < math.inf:
        raise argparse.ArgumentTypeError(f"a volume of 0 mL or more, not {text}")
    return ml


def meaning_of(args: argparse.Namespace) -> LabelMeaning | None:
    """What ``--labels-are`` says; None where it is not given.

    Raises:
        InputError: ``USAGE``.
    """
    from monai_ich.core.label_meaning import NOT_BLOOD, OUR_NUMBERS, LabelMeaning
    from monai_ich.core.labels import EDEMA

    if args.labels_are is None:
        return None
    words = [word.strip() for word in args.labels_are.split(",")]
    if words[0].casefold() == "monai-ich" and len(words) == 1:
        return OUR_NUMBERS
    if len(words) == 1 and "=" not in words[0]:
        if (only := _meant(words[0])) == EDEMA:
            raise usage_error("A mask of edema alone holds no blood: give it with measure --edema.")
        return LabelMeaning(only=only)
    values: dict[int, int] = {}
    for number, _, word in (word.partition("=") for word in words):
        if (
            not number.strip().isascii()
            or not number.strip().isdecimal()
            or not 0 < int(number) < 256
        ):
            raise usage_error(
                "--labels-are needs values of 1 to 255 with a meaning each, as in "
                "1=SDH,2=IPH,3=ignore."
            )
        if values.setdefault(int(number), _meant(word)) != _meant(word):
            raise usage_error(f"--labels-are gives two meanings to the value {int(number)}.")
    edema = frozenset(number for number, means in values.items() if means == EDEMA)
    return LabelMeaning.of_blood(values | dict.fromkeys(edema, NOT_BLOOD), edema)


def _meant(word: str) -> int:
    from monai_ich.core.label_meaning import NOT_BLOOD
    from monai_ich.core.labels import EDEMA, Hemorrhage, Subtype
    from monai_ich.io.segment_names import plain, values_named

    words = {"ignore": NOT_BLOOD, "edema": EDEMA, "any": int(Hemorrhage.ANY)}
    if plain(word) in words:
        return words[plain(word)]
    found = values_named([word], Subtype)
    if len(found) != 1:
        raise usage_error(
            "--labels-are knows EDH, IPH, IVH, SAH, SDH, any, edema and ignore, found another word."
        )
    return found.pop()


def usage_error(message: str) -> InputError:
    """Wrong usage: exit code 2."""
    return InputError("USAGE", message, exit_code=2)


def add_output_file(
    sub: argparse.ArgumentParser,
    what: str = "manifest to write (dataset.json to train from)",
    *,
    required: bool = True,
) -> None:
    """Add ``-o``, a file, and ``--overwrite``; see `refuse_existing`."""
    sub.add_argument("-o", "--output", type=Path, required=required, help=what)
    sub.add_argument("--overwrite", action="store_true", help="replace an earlier file")


def refuse_existing(args: argparse.Namespace) -> None:
    """Raise ``OUTPUT_EXISTS`` where the output file is there and may not be replaced."""
    if args.output.exists() and not args.overwrite:
        raise OutputError(
            "OUTPUT_EXISTS", "The output file exists: choose another name, or pass --overwrite."
        )


def require_nifti_name(args: argparse.Namespace) -> None:
    """Refuse wrong usage of ``-o``, or to replace a file."""
    if args.output is None or not args.output.name.endswith((".nii", ".nii.gz")):
        raise usage_error("-o is needed, with a name that ends in .nii or .nii.gz.")
    if getattr(args, "report", None) == args.output:
        raise usage_error("--report needs another name than -o.")
    refuse_existing(args)


def show_progress(cases: Iterable[Any]) -> Iterable[Any]:
    """Show how far it is: a bar on a terminal, elsewhere a line for each tenth of the cases."""
    from tqdm import tqdm

    if sys.stderr.isatty():
        yield from tqdm(cases, unit="case")
        return
    waiting = list(cases)
    for done, case in enumerate(waiting, start=1):
        yield case
        if done * 10 // len(waiting) > (done - 1) * 10 // len(waiting):
            print(f"{done} of {len(waiting)} cases", file=sys.stderr, flush=True)


def progress_of(args: argparse.Namespace) -> Callable[[Iterable[Any]], Iterable[Any]]:
    """`show_progress`, but nothing beside errors that a program reads."""
    return iter if args.json_errors else show_progress


def print_faults(faults: Iterable[IchError], args: argparse.Namespace) -> int:
    """Print each as it is found; how many there were."""
    from tqdm import tqdm

    count = 0
    for fault in faults:
        count += 1
        if args.json_errors:
            print(json.dumps({"code": fault.code, "message": fault.message}), file=sys.stderr)
        else:
            tqdm.write(str(fault))
    return count
