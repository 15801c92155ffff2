"""MONAI's own bundle run, with failures told in a sentence where one is known."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from monai_ich.bundle_check.config import Config
from monai_ich.bundle_check.nearest import typed
from monai_ich.bundle_check.values import value_of
from monai_ich.core.errors import BundleError, IchError
from monai_ich.io.output import refuse_unwritable

_PATIENCE_S = 2.0  # a thread
SMALLER = ("batch_size", "roi_size", "cache_rate", "inferer::roi_size", "inferer::sw_batch_size")


def run_config(config: Config, overrides: Mapping[str, Any]) -> None:
    """Run a checked config.

    Args:
        config: what to run.
        overrides: id to value, and MONAI's own options (``run_id``, ``tracking``...).

    Raises:
        BundleError: ``OUT_OF_MEMORY``.
        OutputError: ``OUTPUT_NOT_WRITABLE``.
        IchError: what a part of the toolkit refused on the way.
    """
    from monai.bundle import run

    shipped = {"meta_file": "metadata.json", "logging_file": "logging.conf"}
    options = {
        k: str(p) for k, name in shipped.items() if (p := config.root / "configs" / name).is_file()
    }
    _refuse_unwritable_output(config)
    options |= {"bundle_root": str(config.root)} | dict(overrides)
    options = {
        k: "$None" if v is None else v for k, v in options.items()
    }  # None alone would be left out
    try:
        with _short_log():
            run(config_file=[str(file) for file in config.files], **options)
    except Exception as error:
        for cause in _causes(error):
            if isinstance(cause, IchError):
                raise cause from error
            if is_out_of_memory(cause):
                raise _out_of_memory(config) from error
        raise
    finally:
        _end_threads()


def _refuse_unwritable_output(config: Config) -> None:
    try:
        folder = value_of(config, "output_dir")
    except Exception:  # a config without one, or of which only a run can tell
        return
    if isinstance(folder, str):
        refuse_unwritable(Path(folder))


def _end_threads() -> None:
    """Let loaders' threads end what they are at: one in the middle of it would abort the program at
    its exit.
    """
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(_PATIENCE_S)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: on a GPU, in PyTorch's allocator on a CPU, in a loader's process, in
    Python.
    """
    words = ("DefaultCPUAllocator", "CUDA out of memory", "OutOfMemoryError")
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(
        w in str(error) for w in words
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _out_of_memory(config: Config) -> BundleError:
    at = [key for key in SMALLER if key in config.parser]
    now = (
        ", ".join(f"{typed(key)} (now {config.parser[key]})" for key in at)
        or "the size of what is computed at once"
    )
    return BundleError(
        "OUT_OF_MEMORY", f"Memory did not suffice: lower {now}, or run on another device."
    )


@contextmanager
def _short_log() -> Iterator[None]:
    """No stack trace in the log where memory ran out: the sentence at the end says it."""
    make = logging.getLogRecordFactory()

    def record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        made = make(*args, **kwargs)
        if (
            made.exc_info
            and made.exc_info[1]
            and any(map(is_out_of_memory, _causes(made.exc_info[1])))
        ):
            made.exc_info = None
        return made

    logging.setLogRecordFactory(record)
    try:
        yield
    finally:
        logging.setLogRecordFactory(make)
