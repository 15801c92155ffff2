"""A real PostgreSQL on this machine, for tests that ask for it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.service.service import free_port, is_open, wait_for

_PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL without a database's name; the server listens on loopback only."""
    if not _PLACES:
        pytest.skip("PostgreSQL is not installed")
    folder, port = Path(tempfile.mkdtemp(prefix="postgresql_")), free_port()
    user: dict[str, object] = {}
    if os.geteuid() == 0:  # it refuses to run as root
        who = pwd.getpwnam("postgres")
        user = {"user": who.pw_uid, "group": who.pw_gid}
        shutil.chown(folder, who.pw_uid, who.pw_gid)
    place, data = _PLACES[-1], folder / "data"
    init = [place / "initdb", "-D", data, "-A", "trust", "-U", "ich", "--no-sync"]
    subprocess.run(init, check=True, capture_output=True, cwd=folder, **user)  # type: ignore[call-overload]
    server = subprocess.Popen(
        [place / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        **user,  # type: ignore[call-overload]
    )
    wait_for(lambda: is_open(port))
    yield f"postgresql+psycopg://ich@127.0.0.1:{port}"
    server.send_signal(signal.SIGINT)  # a fast shutdown, whoever is still connected
    server.wait(60)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql(postgresql_server: str) -> str:
    """URL of an empty database."""
    name = f"ich_{uuid.uuid4().hex[:12]}"
    engine = sa.create_engine(f"{postgresql_server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as link:
        link.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return f"{postgresql_server}/{name}"
