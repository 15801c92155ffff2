"""Every setting of the service, from one TOML file and the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from monai_ich.core.errors import ServiceError

CONFIG = "service.toml"
ROLES = ("receive", "work", "send", "web")


@dataclass(frozen=True)
class Destination:
    """Where results go.

    Args:
        name: in tables and pages.
        kind: ``dimse`` (C-STORE) or ``dicomweb`` (STOW-RS).
        host, port, called, calling: of a DIMSE archive, and its and our application entity titles.
        url: of a DICOMweb service.
        tls: encrypt DIMSE.
        ca: certificates to trust, PEM; empty for the system's.
        cert: our certificate and key, one PEM file.
        token_file: holds a bearer token for DICOMweb.
        commitment: ask a DIMSE archive for storage commitment before a result counts as sent.
    """

    name: str
    kind: str = "dimse"
    host: str = ""
    port: int = 104
    called: str = "ANY-SCP"
    calling: str = "MONAI-ICH"
    url: str = ""
    tls: bool = False
    ca: str = ""
    cert: str = ""
    token_file: str = ""
    commitment: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("dimse", "dicomweb"):
            raise _bad(f"kind of destination {self.name} must be dimse or dicomweb")
        if not (self.host if self.kind == "dimse" else self.url):
            raise _bad(f"destination {self.name} needs a host (dimse) or a url (dicomweb)")


@dataclass(frozen=True)
class Settings:
    """How the service runs.

    Args:
        data: folder of originals, results and, by default, the database.
        database: SQLAlchemy URL; empty for SQLite in `data`.
        pipeline: ``module:function`` that gives an `Analyzer`.
        dicom_host, dicom_port, ae_title: where C-STORE and C-ECHO are answered.
        callers: application entity titles that may store; empty for all.
        require_called: reject who calls another title than `ae_title`.
        dicom_cert, dicom_key, dicom_ca: TLS for DICOM; with `dicom_ca` clients must show a
            certificate that it signed.
        web_host, web_port: where the pages are.
        web_names: names, beside these addresses, under which browsers reach the pages.
        user_header: name of the header in which a trusted proxy names the user; empty for the
            token that is printed at the start. Only `proxies` may set it.
        proxies: addresses of trusted proxies.
        admins: users of the proxy who may queue and send again; who holds the token may.
        settle_s: a series without a new image for so long is complete.
        open_s: an association that stays open for longer no longer delays its series.
        reserve_bytes, reserve_share: below either much free disk nothing is accepted.
        lease_s: a worker that says nothing for so long is dead.
        restart_most_s: longest pause before a child that ended is started again.
        tries: how often an analysis that failed is tried.
        analysis_most_s: one that takes longer hangs; its worker ends, as one that died.
        workers: number of work processes under the supervisor, which share the cores; 0 for
            `workers_here`, but no more than four.
        originals_days, results_days: how long they are kept once all is sent.
        originals_bytes: at most so much of finished originals is kept, oldest go first; 0 for no
            limit.
        send_tries: how often an object that an archive refuses is sent; a network that fails has
            no limit.
        send_wait_s: before the second try; doubled each time up to `send_wait_most_s`.
        zone: time zone of the pages.
        viewer_url: of a viewer such as OHIF, with ``{study}`` for the StudyInstanceUID; empty for
            none.
        sensitivity, specificity: published or measured, for expected alerts; 0 for unknown.
        prevalence: of hemorrhage among scans; 0 for unknown.
        heatmap: also compute heat maps.
        second_reading: run the classification bundle besides, where it has weights.
        runtime: what computes the networks: ``torch``, or on the CPU ``openvino`` or ``onnx``.
        destinations: where results go.
    """

    data: Path
    database: str = ""
    pipeline: str = "monai_ich.service.analyzer:load"
    dicom_host: str = "127.0.0.1"
    dicom_port: int = 11112
    ae_title: str = "MONAI-ICH"
    callers: tuple[str, ...] = ()
    require_called: bool = False
    dicom_cert: str = ""
    dicom_key: str = ""
    dicom_ca: str = ""
    web_host: str = "127.0.0.1"
    web_port: int = 8042
    web_names: tuple[str, ...] = ()
    user_header: str = ""
    proxies: tuple[str, ...] = ("127.0.0.1",)
    admins: tuple[str, ...] = ()
    settle_s: float = 30.0
    open_s: float = 600.0
    reserve_bytes: int = 5_000_000_000
    reserve_share: float = 0.10
    lease_s: float = 60.0
    restart_most_s: float = 30.0
    tries: int = 3
    analysis_most_s: float = 3600.0
    workers: int = 0
    originals_days: float = 7.0
    results_days: float = 90.0
    originals_bytes: int = 0
    send_tries: int = 10
    send_wait_s: float = 5.0
    send_wait_most_s: float = 900.0
    zone: str = "UTC"
    viewer_url: str = ""
    sensitivity: float = 0.0
    specificity: float = 0.0
    prevalence: float = 0.0
    heatmap: bool = False
    second_reading: bool = True
    runtime: str = "torch"
    destinations: tuple[Destination, ...] = field(default=())

    def __post_init__(self) -> None:
        names = [d.name for d in self.destinations]
        if len(set(names)) < len(names):
            raise _bad("two destinations have one name")
        if bool(self.dicom_cert) != bool(self.dicom_key):
            raise _bad("dicom_cert and dicom_key go together")
        if self.workers < 0:
            raise _bad("workers must be 0 or more")
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise _bad("zone must be a name such as Europe/Berlin") from None

    @property
    def database_url(self) -> str:
        """Of SQLAlchemy."""
        return self.database or f"sqlite:///{self.data / 'service.sqlite'}"


def read_settings(data: Path, config: Path | None = None, **given: Any) -> Settings:
    """Settings from ``service.toml`` in `data` or from `config`; what is `given` and not None wins.

    Raises:
        ServiceError: ``BAD_SETTINGS`` where the file is missing or broken, or a setting unknown or
            of another type.
    """
    path = config or data / CONFIG
    said: Mapping[str, Any] = {}
    if config is not None or path.is_file():
        try:
            said = tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise _bad(f"the file cannot be read ({type(error).__name__})") from None
    values = dict(said)
    places = values.pop("destination", [])
    try:
        made = tuple(_typed(Destination, place) for place in places)
    except TypeError:
        raise _bad("each [[destination]] needs a name") from None
    values |= {name: value for name, value in given.items() if value is not None}
    settings: Settings = _typed(Settings, {"data": data.absolute(), **values})
    return replace(settings, destinations=made)


def _typed(kind: type[Any], values: Mapping[str, Any]) -> Any:
    known = {f.name for f in fields(kind)} - {"destinations"}
    types = get_type_hints(kind)
    for name, value in values.items():
        if name not in known:
            raise _bad(f"there is no setting {name}")
        wanted = types[name]
        fits = {
            float: isinstance(value, (int, float)) and not isinstance(value, bool),
            int: isinstance(value, int) and not isinstance(value, bool),
        }.get(
            wanted, isinstance(value, (list, tuple) if wanted not in (str, bool, Path) else wanted)
        )
        if not fits:
            raise _bad(f"the value of {name} has another type")
    return kind(**{n: tuple(v) if isinstance(v, list) else v for n, v in values.items()})


def _bad(what: str) -> ServiceError:
    return ServiceError(
        "BAD_SETTINGS", f"The settings of the service are wrong: {what}.", exit_code=2
    )
