"""The service under load, small studies sent side by side: is each there once, how long does each
image take, does memory stay flat? ``make bench-service``.

    python -m benchmarks.service [--studies 1000] [--senders 8] [--database URL]

The analysis is a fake of the tests, so that storage, queue and sending are what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pydicom
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage

from monai_ich.service.states import State
from tests.service.fake import keep
from tests.service.service import (
    Service,
    free_port,
    head,
    is_open,
    require_ended,
    require_sent_once,
    start,
    wait_for,
)

_IMAGES = 30
_RECORD = Path(__file__).with_name("service.json")


def send_study(job: tuple[int, str]) -> list[float]:
    """Make a study and send it; milliseconds of each C-STORE, from request to answer."""
    port, place = job
    folder = Path(place)
    entity = AE(ae_title="LOAD")
    entity.add_requested_context(CTImageStorage)
    images = [pydicom.dcmread(path) for path in head(folder, count=_IMAGES)]
    shutil.rmtree(folder)
    link = entity.associate("127.0.0.1", port)
    assert link.is_established
    times = []
    for image in images:
        begun = time.perf_counter()
        status = link.send_c_store(image)
        times.append(1000 * (time.perf_counter() - begun))
        assert status.Status == 0, status
    link.release()
    return times


def _memory_mb(service: subprocess.Popen[bytes]) -> float:
    """Of the receiver, which holds the associations."""
    children = psutil.Process(service.pid).children()
    receiver = next(c for c in children if "receive" in c.cmdline())
    return receiver.memory_info().rss / 1e6


def main() -> int:
    """Run, check that nothing is lost, print and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--senders", type=int, default=8)
    parser.add_argument("--database", default="")
    args = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="bench_service_"))
    data, archive, port, to = root / "data", root / "archive", free_port(), free_port()
    data.mkdir()
    archive.mkdir()
    more = f'database = "{args.database}"\n' if args.database else ""
    (data / "service.toml").write_text(
        f"{more}dicom_port = {port}\nweb_port = {free_port()}\nsettle_s = 2.0\nreserve_bytes = 0\n"
        f'[[destination]]\nname = "archive"\nhost = "127.0.0.1"\nport = {to}\n'
    )
    server = keep(to, archive)
    service = start("", data)
    try:
        wait_for(lambda: is_open(port), 300)
        jobs = [(port, str(root / f"study_{n}")) for n in range(args.studies)]
        tenth = max(1, len(jobs) // 10)
        begun, times = time.perf_counter(), []
        with ProcessPoolExecutor(args.senders) as pool:
            for part in pool.map(send_study, jobs[:tenth]):
                times += part
            early_mb = _memory_mb(service)
            for part in pool.map(send_study, jobs[tenth:]):
                times += part
        received_s, late_mb = time.perf_counter() - begun, _memory_mb(service)
        after = Service(data, database=args.database)

        def done() -> bool:
            return after.states() == [State.SENT] * args.studies

        wait_for(done, 60.0 + 5.0 * args.studies)
        finished_s = time.perf_counter() - begun
    finally:
        service.terminate()
        service.wait(60)
        server.shutdown()  # type: ignore[attr-defined]
    require_ended(after)
    require_sent_once(after, archive)
    record = {
        "studies": args.studies,
        "images": len(times),
        "senders": args.senders,
        "database": "PostgreSQL" if args.database else "SQLite",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "images_per_second": round(len(times) / received_s, 1),
        "c_store_ms": {p: round(float(np.percentile(times, p)), 1) for p in (50, 90, 99)},
        "receiver_mb": {"after a tenth": round(early_mb), "after all": round(late_mb)},
        "seconds_until_all_sent": round(finished_s, 1),
        "lost": 0,
    }
    shutil.rmtree(root)
    _RECORD.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
