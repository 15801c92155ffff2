"""How long the page of 10,000 studies takes, from request to the last byte."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from starlette.testclient import TestClient

from monai_ich.service.summary import Finding, Summary
from monai_ich.service.tables import identity, result, series, study
from monai_ich.service.web import Web
from tests.service.service import Service

_STUDIES = 10_000
_PRESENCES = (("found", 2), ("possible", 3), *[("not found", 4)] * 3)


def fill(service: Service, count: int) -> None:
    """Studies with results, of which two in five are alerts."""
    findings = tuple(
        Finding(name, "found", 5.0, (4.0, 6.0), 0.9) for name in ("EDH", "IPH", "IVH", "SAH", "SDH")
    )
    numbers, now = range(1, count + 1), time.time()
    texts = [
        Summary(p, f"Hemorrhage {p}.", u, 5.0, (4.0, 6.0), 0.9, findings=findings).to_json()
        for p, u in _PRESENCES
    ]
    common = {
        **{"generation": 1, "state": "sent", "reason": "", "reading": "unread", "images": 30},
        **{"announced": 0, "score": 1.0, "volume_ml": 5.0, "last_image_at": now},
        **{"changed_at": now, "owner": "", "lease_until": 0.0, "attempt": 0, "deaths": 0},
    }
    rows: dict[Any, list[dict[str, Any]]] = {
        study: [{"id": n, "uid": f"1.2.{n}", "received_at": now - n} for n in numbers],
        series: [
            {**common, "id": n, "uid": f"1.3.{n}", "study_id": n, "received_at": now - n}
            | {"urgency": _PRESENCES[n % 5][1]}
            for n in numbers
        ],
        result: [
            {"id": n, "series_id": n, "generation": 1, "work_key": f"{n}", "folder": "results/a"}
            | {"summary": texts[n % 5], "sr_uid": "", "finished_at": now - n}
            for n in numbers
        ],
        identity: [
            {"study_id": n, "name": f"DOE^{n}", "patient_id": f"P{n}", "accession": "A"}
            | {"birth_date": "19500101"}
            for n in numbers
        ],
    }
    with service.db.write() as link:
        for table, values in rows.items():
            link.execute(table.insert(), values)


def measure_worklist() -> dict[str, Any]:
    """Seconds by the clock and by the processor, median of five."""
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder))
        fill(service, _STUDIES)
        client = TestClient(
            Web(service.db, service.settings, "here/web").app(), base_url="http://127.0.0.1:8042"
        )
        token = (service.settings.data / "token").read_text()
        client.get(f"/?token={token}")
        walls, cpus = [], []
        for _ in range(5):
            wall, cpu = time.perf_counter(), time.process_time()
            assert client.get("/").text.count("data-case") == 100
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
        return {
            "studies": _STUDIES,
            "seconds": round(median(walls), 2),
            "cpu_seconds": round(median(cpus), 2),
        }
