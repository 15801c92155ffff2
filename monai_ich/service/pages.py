"""Pages of the service, from templates; plain HTML first, one small script makes them live."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.engine import Connection
from starlette.responses import HTMLResponse, Response

from monai_ich.core.errors import InputError
from monai_ich.core.labels import Subtype, label_of
from monai_ich.report.wording import interval_words, probability_words
from monai_ich.service.access import User
from monai_ich.service.analyzer import THUMBNAIL
from monai_ich.service.audit import broken_at
from monai_ich.service.database import Database
from monai_ich.service.figures import DRIFT_DAYS, read_operations
from monai_ich.service.places import BANDS, read_places
from monai_ich.service.settings import Settings
from monai_ich.service.states import Reading
from monai_ich.service.summary import Summary
from monai_ich.service.tables import outbox, result, series, study
from monai_ich.service.worklist import read_studies, read_verdicts

_FILES = (
    *(THUMBNAIL, "report.html", "montage.png", "ich.seg.nrrd", "measurements.json"),
    *("measurements.csv", "lesions.csv", "slices.csv", "ct.nii.gz", "anatomy.nii.gz"),
)
_PER_PAGE = 100
_DOWNLOADS = ("ich.seg.nrrd", "measurements.csv", "lesions.csv", "ct.nii.gz")


class Pages:
    """Renders; reads the tables, writes nothing."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self.db, self.settings = db, settings
        self._jinja = Environment(
            loader=PackageLoader("monai_ich.service"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._jinja.filters |= {
            "since": since_words,
            "at": lambda then: time_words(then, settings.zone),
            "probability": lambda p: (
                "".join(probability_words(p)).replace(" %", "\u00a0%") or "not calibrated"
            ),
            "interval": lambda pair, unit: " ".join(interval_words(pair, unit)),
            "size": lambda n: f"{n / 1e9:.1f} GB",
            "percent": lambda share: "not known" if share is None else f"{100 * share:.0f} %",
        }
        colors = {s.name: f"rgb{label_of(s).color}" for s in Subtype}
        self._jinja.globals |= {"bands": BANDS, "readings": list(Reading), "colors": colors}

    def worklist(self, asked: Mapping[str, str]) -> str:
        """A page of the list of studies."""
        words, band, reading = (asked.get(n, "")[:80] for n in ("q", "band", "reading"))
        number = max(1, int(said)) if (said := asked.get("page", "1")[:6]).isdecimal() else 1
        with self.db.read() as link:
            places = read_places(link, words=words, band=band, reading=reading)
            first = _PER_PAGE * (min(number, -(-len(places) // _PER_PAGE) or 1) - 1)
            cases = [place.case for place in places[first : first + _PER_PAGE]]
            studies = read_studies(link, cases)
            total = link.execute(sa.select(sa.func.count()).select_from(study)).scalar()
        counts = Counter(place.band for place in places)
        return self._text(
            "rows.html" if "rows" in asked else "worklist.html",
            groups={name: [s for s in studies if s.first.band == name] for name in BANDS},
            counts=counts,
            total=total,
            q=words,
            band=band,
            reading=reading,
            first=first,
            last=first + len(cases),
            fits=len(places),
            page=first // _PER_PAGE + 1,
        )

    def study(self, case: int, user: User, form: str) -> Response:
        """One study with its report and what was said of it."""
        with self.db.read() as link:
            found = read_studies(link, [case], whole=True)
            if not found:
                return self.message("There is no such study.", 404)
            read = found[0].read
            verdicts = read_verdicts(link, (read or found[0].first).id)
            number = read.result_id if read else None
            uid = link.execute(sa.select(study.c.uid).where(study.c.id == case)).scalar()
            sent = list(link.execute(sa.select(outbox).where(outbox.c.result_id == number)))
        newest = [v for v in verdicts if v.result_id == number]
        changed = [(v, Summary.from_json(v.summary)) for v in verdicts if v.summary]
        summary = read.summary if read else None
        network = {f.name: f.volume_ml for f in summary.findings} if summary else {}
        viewer = self.settings.viewer_url.replace("{study}", quote(str(uid)))
        text = self._text(
            "study.html",
            study=found[0],
            read=read,
            verdicts=verdicts,
            changed=changed,
            network=network,
            after=newest[0].id if newest else 0,
            sent=sent,
            user=user,
            form=form,
            viewer=viewer,
            downloads=_DOWNLOADS,
        )
        return HTMLResponse(text)

    def operations(self, user: User) -> Response:
        """How the service does."""
        with self.db.read() as link:
            seen = read_operations(link, self.settings)
            broken = broken_at(link)
        return HTMLResponse(
            self._text(
                "operations.html",
                seen=seen,
                broken=broken,
                settings=self.settings,
                drift_days=DRIFT_DAYS,
                named={place.name for place in self.settings.destinations},
            )
        )

    def login(self) -> Response:
        """For somebody unknown."""
        return HTMLResponse(self._text("login.html", proxied=bool(self.settings.user_header)), 401)

    def message(self, text: str, status: int) -> Response:
        """One sentence."""
        return HTMLResponse(self._text("message.html", text=text), status)

    def file_of(self, number: int, name: str) -> Path | None:
        """A file that the pages may show; None where there is none."""
        if name not in _FILES:
            return None
        with self.db.read() as link:
            query = sa.select(result.c.folder).where(result.c.id == number)
            folder = link.execute(query).scalar()
        path = self.settings.data / str(folder) / name
        return path if folder and path.is_file() else None

    def case_of(self, number: int) -> int:
        """Case of a result."""
        query = sa.select(series.c.study_id).join(result, result.c.series_id == series.c.id)
        with self.db.read() as link:
            return _known(link.execute(query.where(result.c.id == number)).scalar())

    def case_of_series(self, link: Connection, number: int) -> int:
        """Case of a series."""
        query = sa.select(series.c.study_id).where(series.c.id == number)
        return _known(link.execute(query).scalar())

    def _text(self, name: str, **values: object) -> str:
        return self._jinja.get_template(name).render(**values)


def _known(case: int | None) -> int:
    if case is None:
        raise InputError("UNKNOWN_RESULT", "There is no such result, or it has expired.")
    return case


def since_words(then: float, now: float | None = None) -> str:
    """How long ago.

    >>> since_words(0.0, 59.0), since_words(0.0, 3700.0), since_words(0.0, 200_000.0)
    ('under 1 min', '1 h 1 min', '2 d')
    """
    minutes = int(((now or time.time()) - then) // 60)
    if minutes < 1:
        return "under 1 min"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 60 * 48:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d"


def time_words(then: float, zone: str) -> str:
    """Date and time at the site."""
    return datetime.fromtimestamp(then, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M %Z")
