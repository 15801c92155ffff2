"""What monitors ask: is it alive, can it work, and how much it does."""

from __future__ import annotations

import time

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from monai_ich.service.database import Database, near
from monai_ich.service.figures import read_flow
from monai_ich.service.originals import has_room
from monai_ich.service.settings import ROLES, Settings
from monai_ich.service.states import State
from monai_ich.service.tables import heartbeat

_FRESH_S = 60.0


def not_ready(db: Database, settings: Settings, owner: str) -> list[str]:
    """Why the service cannot do its work; empty where it can."""
    faults = [] if has_room(settings) else ["free disk is below the reserve"]
    try:
        db.beat(owner, "web")
        with db.read() as link:
            fresh = sa.select(heartbeat).where(near(heartbeat.c.at, time.time(), _FRESH_S))
            beats = list(link.execute(fresh))
    except sa.exc.SQLAlchemyError:
        return [*faults, "the database cannot be written"]
    alive = {row.role for row in beats}
    faults += [f"no {role} process is alive" for role in ROLES if role not in alive]
    if "work" in alive and all(b.detail == "loading" for b in beats if b.role == "work"):
        faults.append("weights are being loaded")
    return faults


def metrics(db: Database, settings: Settings, owner: str) -> bytes:
    """For Prometheus."""
    registry = CollectorRegistry()

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"monai_ich_{name}", text, labels, registry=registry)

    with db.read() as link:
        seen = read_flow(link, settings)
    states = gauge("series", "Series by state", "state")
    for state in State:
        states.labels(state.value).set(seen.states.get(state.value, 0))
    objects = gauge("outbox_objects", "Objects by destination and state", "destination", "state")
    for place, counts in seen.outbox.items():
        for name, count in counts.items():
            objects.labels(place, str(name)).set(count)
    ended = gauge("ended_series", "Series refused or failed, by code", "code")
    for code, count in seen.failures:
        ended.labels(code).set(count)
    gauge("oldest_wait_seconds", "Age of the oldest series that waits").set(seen.oldest_wait_s)
    gauge("results_day", "Results of the last 24 hours").set(seen.results_day)
    gauge("disk_free_bytes", "Free disk of the data folder").set(seen.disk_free)
    gauge("alerts_day", "Results of the last 24 hours that say found or possible").set(
        seen.alerts_day
    )
    gauge("ready", "1 where all roles can work").set(not not_ready(db, settings, owner))
    return generate_latest(registry)
