"""What ``monai-ich serve`` does: all roles under a supervisor, or one of them."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext

from monai_ich.core.errors import ServiceError
from monai_ich.service.access import new_token
from monai_ich.service.database import Database, require_folder
from monai_ich.service.settings import ROLES, Settings
from monai_ich.service.supervise import end_with_supervisor, only_one, supervise

_LOG = logging.getLogger(__name__)
_OWN_ONLY = 0o077  # images, identity and token are for this user's eyes


def run_all(
    settings: Settings,
    arguments: Sequence[str],
    say: Callable[[str], None],
    *,
    demo: bool = False,
) -> None:
    """The whole service, until a signal ends it.

    Args:
        settings: of the service.
        arguments: of ``monai-ich serve``, for the children.
        say: shows a line to whoever started it.
        demo: send three synthetic studies.

    Raises:
        BundleError: ``BAD_RUNTIME``, ``NO_RUNTIME``: its workers could never start.
    """
    _require_runtime(settings)
    os.umask(_OWN_ONLY)
    require_folder(settings.data)
    with only_one(settings.data):
        Database(settings.database_url).migrate()
        token = new_token(settings.data)
        say(f"DICOM:  {settings.ae_title} at {settings.dicom_host}:{settings.dicom_port}")
        say(f"pages:  http://{settings.web_host}:{settings.web_port}/?token={token}")
        say("For research use only. Ctrl-C ends the service; what is under way goes on next time.")
        if demo:
            from monai_ich.service.demo import start_demo

            start_demo(settings)
        supervise(settings, arguments, _stopped())


def _require_runtime(settings: Settings) -> None:
    if settings.runtime != "torch":
        from monai_ich.bundle.runtime import require_runtime

        require_runtime(settings.runtime)


def run_role(settings: Settings, name: str, *, supervised: bool = False) -> None:
    """One role, until a signal ends it.

    Args:
        settings: of the service.
        name: the role, with ``-`` and a number or word where several of it run on a machine.
        supervised: end with the process that holds the other end of the standard input.

    Raises:
        ServiceError: ``USAGE``.
    """
    role = name.partition("-")[0]
    if role not in ROLES:
        raise ServiceError("USAGE", f"--role must be one of {', '.join(ROLES)}.", exit_code=2)
    if supervised:
        end_with_supervisor()
    os.umask(_OWN_ONLY)
    require_folder(settings.data)
    db = Database(settings.database_url)
    db.migrate()
    owner, stop = f"{socket.gethostname()}/{name}", _stopped()
    lock = nullcontext() if supervised else only_one(settings.data, owner.replace("/", "_"))
    with lock:
        _run(role, db, settings, owner, stop)


def _run(role: str, db: Database, settings: Settings, owner: str, stop: threading.Event) -> None:
    if role == "receive":
        from monai_ich.service.receive import run_receive

        run_receive(db, settings, owner, stop)
    elif role == "work":
        from monai_ich.service.work import run_work

        run_work(db, settings, owner, stop)
    elif role == "send":
        from monai_ich.service.send import run_send

        run_send(db, settings, owner, stop)
    else:
        from monai_ich.service.web import run_web

        run_web(db, settings, owner)


def _stopped() -> threading.Event:
    """Set by SIGTERM, SIGINT and SIGHUP."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    return stop
