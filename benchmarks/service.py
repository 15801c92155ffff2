"""The service under load and with the real networks: is each study there once, how long does each
step take, does memory stay flat? ``make bench-service``.

    python -m benchmarks.service [PART ...] [--studies 1000] [--senders 8] [--minutes 60]

Parts, each of which writes its own entry of the record:

- ``idle``: C-STORE of one sender, with a fake analysis;
- ``load``: small studies by many senders at once, with a fake analysis, so that storage, queue and
  sending are what is measured; then ``kill -9`` of all processes, and back;
- ``worklist``: the page of 10,000 studies;
- ``real``: 512 x 512 x 30 from the last image to the archive, and throughput beside ``study``.

Exit code 1 where something was lost or a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import FileDataset
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage

from benchmarks.worklist import measure_worklist
from monai_ich.service.states import ENDS, State
from monai_ich.service.tables import instance, outbox, result
from monai_ich.synth.dataset import design_case, write_case
from tests.service.service import (
    Service,
    head,
    is_open,
    require_ended,
    require_sent_once,
    wait_for,
)
from tests.service.site import REAL, Site, renew, site

_IMAGES, _SETTLE_S, _OBJECTS = 30, 2.0, 4
_PATIENCE_S = 300.0  # of a sender: on a busy machine an answer is late, not lost
_RECORD = Path(__file__).with_name("service.json")
_TARGETS = {"c_store_idle_ms": 100.0, "memory": 1.2, "recovery_s": 10.0, "worklist_s": 1.0}


@contextmanager
def ready(words: tuple[str, ...] = (), *, database: str = "") -> Iterator[Site]:
    """A service that is ready, and an archive for its results."""
    more = f"settle_s = {_SETTLE_S}\n" + (f'database = "{database}"\n' if database else "")
    with (
        tempfile.TemporaryDirectory(prefix="bench_service_") as root,
        site(Path(root), more, words) as made,
    ):
        wait_for(made.is_ready, 600)
        yield made


def receiver_mb(running: Site) -> float:
    """Memory of the receiver, which holds the associations."""
    receiver = next(c for c in running.children() if "receive" in c.cmdline())
    return float(receiver.memory_info().rss) / 1e6


def kill_all(running: Site) -> None:
    """``kill -9`` of every process."""
    children = running.children()
    running.process.kill()
    for child in children:
        child.kill()
    running.kill_supervisor()


@cache
def _images() -> list[FileDataset]:
    """Of a small study, made once in each sender."""
    with tempfile.TemporaryDirectory() as folder:
        return [pydicom.dcmread(path) for path in head(Path(folder), count=_IMAGES)]


def send_study(job: tuple[int, float]) -> list[float]:
    """Send a new study unless time is up; milliseconds of each C-STORE, request to answer."""
    port, end = job
    return [] if time.time() > end else send_as_new(port, _images())


def send_as_new(port: int, images: list[FileDataset]) -> list[float]:
    """Send the images as a new study, likewise."""
    entity = AE(ae_title="LOAD")
    entity.network_timeout = entity.dimse_timeout = _PATIENCE_S
    entity.add_requested_context(CTImageStorage)
    times = []
    link = entity.associate("127.0.0.1", port)
    assert link.is_established
    for image in renew(images):
        begun = time.perf_counter()
        status = link.send_c_store(image)
        times.append(1000 * (time.perf_counter() - begun))
        assert status.Status == 0, status
    link.release()
    return times


def _percentiles(times: list[float]) -> dict[str, float]:
    return {f"p{p}": round(float(np.percentile(times, p)), 1) for p in (50, 90, 99)}


def _all_sent(running: Site, count: int, minutes: float, pause_s: float = 0.1) -> Service:
    after = running.service()
    ended = {*ENDS} - {State.ANALYZED}  # what is analyzed is to be sent

    def states() -> list[str]:
        return [state.split()[0] for state in after.states()]

    wait_for(lambda: len(states()) == count and set(states()) <= ended, 60 * minutes, pause_s)
    assert set(states()) == {State.SENT}, after.states()
    require_ended(after)
    require_sent_once(after, running.archive)
    return after


def measure_idle(args: argparse.Namespace) -> dict[str, Any]:
    """One sender, one study after the other."""
    with ready(database=args.database) as running:
        times = [ms for _ in range(10) for ms in send_as_new(running.port, _images())]
        return {"images": len(times), "c_store_ms": _percentiles(times)}


def measure_load(args: argparse.Namespace) -> dict[str, Any]:
    """Many senders, then everything killed and started again."""
    with ready(database=args.database) as running:
        begun, times, studies, early_mb = time.perf_counter(), list[float](), 0, 0.0
        jobs = [(running.port, time.time() + 60 * args.minutes)] * args.studies
        with ProcessPoolExecutor(args.senders) as pool:
            for part in pool.map(send_study, jobs):
                times += part
                studies += bool(part)
                if studies == max(1, args.studies // 10) and not early_mb:
                    early_mb = receiver_mb(running)
        received_s, late_mb = time.perf_counter() - begun, receiver_mb(running)
        _all_sent(running, studies, args.minutes + studies / 60)
        finished_s = time.perf_counter() - begun
        times += send_as_new(running.port, _images())
        kill_all(running)
        killed = time.perf_counter()
        running.restart()
        wait_for(lambda: is_open(running.port) and is_open(running.web), 600)
        recovered_s = time.perf_counter() - killed
        after = _all_sent(running, studies + 1, args.minutes)
        return {
            "studies": studies,
            "senders": args.senders,
            "database": "PostgreSQL" if args.database else "SQLite",
            "images": len(times),
            "lost": len(times) - len(after.rows(instance)),
            "images_per_second": round((len(times) - _IMAGES) / received_s, 1),
            "c_store_ms": _percentiles(times),
            "receiver_mb": {"after a tenth": round(early_mb), "after all": round(late_mb)},
            "memory": round(late_mb / early_mb, 2) if early_mb else None,
            "seconds_until_all_sent": round(finished_s, 1),
            "recovery_s": round(recovered_s, 1),
        }


def measure_real(args: argparse.Namespace) -> dict[str, Any]:
    """From the last image to the archive; then a queue of studies beside ``monai-ich study``."""
    with tempfile.TemporaryDirectory() as folder, ready(REAL) as running:
        case = design_case(710_003, pixels=512, thickness_mm=5.0, tilt_deg=0)
        scanner = replace(case.scanner, window_hu=None, pictures=None)  # in HU, not refused
        write_case(replace(case, scanner=scanner), Path(folder) / "head", dicom=True)
        images = [pydicom.dcmread(p) for p in sorted(Path(folder).rglob("*.dcm"))]
        waits = []
        for number in range(3):
            send_as_new(running.port, images)
            begun = time.perf_counter()
            after = _all_sent(running, number + 1, 10)
            waits.append(time.perf_counter() - begun - _SETTLE_S)
        for _ in range(args.real):
            send_as_new(running.port, images)
        after = _all_sent(running, 3 + args.real, 10 * args.real, 2.0)  # it asks on the same cores
        ends = sorted(row.finished_at for row in after.rows(result))[3:]
        assert len(after.rows(outbox)) == _OBJECTS * (3 + args.real)
        beside = _study_ends(Path(folder), images, args.real)
        ours, theirs = ((len(e) - 1) / (e[-1] - e[0]) * 60 for e in (ends, beside))
        return {
            "images": len(images),
            "seconds_after_settling": [round(s, 1) for s in waits],
            "scans_a_minute": {"service": round(ours, 2), "study": round(theirs, 2)},
            "share_of_study": round(ours / theirs, 2),
        }


def _study_ends(folder: Path, images: list[FileDataset], count: int) -> list[float]:
    """When ``monai-ich study`` had finished each of so many scans."""
    for number in range(count):
        place = folder / "study" / f"{number}"
        place.mkdir(parents=True)
        for index, image in enumerate(renew(images)):
            image.save_as(place / f"{index:03d}.dcm")
    words = ["study", str(folder / "study"), "-o", str(folder / "out")]
    subprocess.run([sys.executable, "-m", "monai_ich.cli", *words], check=True)
    return sorted(p.stat().st_mtime for p in (folder / "out").rglob("measurements.json"))


def _misses(name: str, found: dict[str, Any]) -> list[str]:
    limits = {
        "idle": [("c_store_idle_ms", lambda: found["c_store_ms"]["p99"])],
        "load": [("memory", lambda: found["memory"]), ("recovery_s", lambda: found["recovery_s"])],
        "worklist": [("worklist_s", lambda: found["seconds"])],
    }
    missed = [key for key, value in limits.get(name, []) if (value() or 0.0) > _TARGETS[key]]
    return [*missed, *(["lost"] if found.get("lost") else [])]


_PARTS = {
    "idle": measure_idle,
    "load": measure_load,
    "worklist": lambda args: measure_worklist(),
    "real": measure_real,
}


def main() -> int:
    """Run the parts, keep their figures, say what misses a target."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", default=list(_PARTS))
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--senders", type=int, default=8)
    parser.add_argument(
        "--minutes", type=float, default=60.0, help="to send in; what is left stays"
    )
    parser.add_argument("--real", type=int, default=20, help="scans of the throughput")
    parser.add_argument("--database", default="")
    args = parser.parse_args()
    missed = []
    for name in args.parts:
        load = round(os.getloadavg()[0], 1)
        found = _PARTS[name](args)
        record = json.loads(_RECORD.read_text()) if _RECORD.exists() else {}
        record[name] = {"cores": os.cpu_count(), "load_before": load, **found}
        _RECORD.write_text(json.dumps(record, indent=1) + "\n")
        print(json.dumps({name: record[name]}, indent=1), flush=True)
        missed += [f"{name}: {what}" for what in _misses(name, found)]
    print("\n".join(f"missed {one}" for one in missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
