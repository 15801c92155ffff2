"""Pages: who sees them, in which order, and that no verdict is lost."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.io.read import read_ct, read_labels
from monai_ich.io.seg_nrrd import write_seg_nrrd
from monai_ich.manifest.manifest import read_manifest
from monai_ich.service.access import User
from monai_ich.service.states import Reading
from monai_ich.service.summary import Finding, Summary
from monai_ich.service.tables import audit, result, series, study, verdict
from monai_ich.service.verdicts import Said, record_verdict
from monai_ich.service.web import Web
from tests.service.fake import Fake
from tests.service.service import NAME, PATIENT, Service, head

pytestmark = pytest.mark.slow

_SDH = (Finding("SDH", "found", 40.0, None, None),)


class Says(Fake):
    """A result with this presence and volume."""

    def __init__(self, presence: str, ml: float) -> None:
        self.presence, self.ml = presence, ml
        self.key = f"{presence} {ml}"

    def __call__(self, images: Path, folder: Path, case_id: str) -> Summary:
        urgency = {"found": 2, "possible": 3, "not found": 4}[self.presence]
        made = super().__call__(images, folder, case_id)
        words = f"Hemorrhage {self.presence}."
        return replace(
            made, presence=self.presence, total_ml=self.ml, urgency=urgency, headline=words
        )


def _cases(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'data-case="(\d+)"', page)]


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path / "data")


def _client(service: Service, *, logged_in: bool = True) -> TestClient:
    web = Web(service.db, service.settings, "here/web")
    client = TestClient(web.app(), base_url="http://127.0.0.1:8042", follow_redirects=False)
    if logged_in:
        token = (service.settings.data / "token").read_text()
        client.get(f"/?token={token}")
    return client


def _form(client: TestClient, case: int = 1) -> dict[str, str]:
    text = client.get(f"/study/{case}").text
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', text))


def test_nobody_without_the_token_sees_anything(service: Service, tmp_path: Path) -> None:
    service.admit(head(tmp_path / "head"))
    service.work()
    client = _client(service, logged_in=False)
    for path in ("/", "/study/1", "/operations", "/result/1/report.html", "/modified.json"):
        assert client.get(path).status_code == 401
        assert "DOE" not in client.get(path, headers={"accept": "text/html"}).text
    assert client.post("/dicom-web/studies").status_code == 401
    assert client.get("/?token=wrong").status_code == 401
    token = (service.settings.data / "token").read_text()
    answer = client.get(f"/?token={token}")
    assert answer.status_code == 303 and token not in answer.headers["location"]
    assert {"HttpOnly", "SameSite=strict"} <= set(answer.headers["set-cookie"].split("; "))
    assert "DOE, JANE" in client.get("/").text


def test_a_name_of_another_site_and_its_forms_are_refused(service: Service, tmp_path: Path) -> None:
    service.admit(head(tmp_path / "head"))
    service.work()
    client = _client(service)
    assert client.get("/", headers={"host": "evil.example:8042"}).status_code == 421
    form = _form(client) | {"reading": "confirmed", "reason": ""}
    foreign = client.post("/result/1/verdict", data=form, headers={"origin": "http://evil.example"})
    assert foreign.status_code == 403
    assert client.post("/result/1/verdict", data=form | {"form": "x"}).status_code == 403
    assert service.rows(verdict) == []


def test_what_has_no_result_stands_above_and_is_never_called_negative(
    service: Service, tmp_path: Path
) -> None:
    for number, (presence, ml) in enumerate(
        (("not found", 0.0), ("possible", 1.0), ("found", 9.0), ("found", 22.0))
    ):
        service.admit(head(tmp_path / str(number)))
        service.work(Says(presence, ml))
    missing = head(tmp_path / "missing")
    service.admit([*missing[:4], *missing[5:]])
    service.work()
    service.admit(head(tmp_path / "arriving"))
    text = _client(service).get("/").text
    order = [int(n) for n in re.findall(r'data-case="(\d+)"', text)]
    assert set(order[:2]) == {5, 6} and order[2:] == [4, 3, 2, 1]
    bands = text.split("<section")[1:]
    assert "refused (MISSING_SLICES)" in bands[0] and "images are arriving" in bands[0]
    assert "No hemorrhage found" not in bands[0]
    page = _client(service).get("/study/5").text
    assert "This series has no result; that is not" in page


def test_a_study_with_a_negative_and_a_refused_series_is_not_negative(
    service: Service, tmp_path: Path
) -> None:
    good = head(tmp_path / "good")
    service.admit(good)
    service.work(Says("not found", 0.0))
    study = pydicom.dcmread(good[0]).StudyInstanceUID
    other = head(tmp_path / "other")
    for path in other:
        image = pydicom.dcmread(path)
        image.StudyInstanceUID = study
        image.save_as(path)
    service.admit([*other[:4], *other[5:]])
    service.work()
    text = _client(service).get("/").text
    assert "band-attention" in text and "band-negative" not in text
    page = _client(service).get("/study/1").text
    assert "This series has no result" in page and "Hemorrhage not found." in page


def test_what_nobody_has_read_stands_before_what_was_read(service: Service, tmp_path: Path) -> None:
    for number, ml in enumerate((30.0, 20.0, 10.0)):
        service.admit(head(tmp_path / str(number)))
        service.work(Says("found", ml))
    said = Said(Reading.CONFIRMED, "", 0)
    record_verdict(service.db, service.settings, User("ann", True), 1, said)
    assert _cases(_client(service).get("/").text) == [2, 3, 1]


def test_a_reader_who_draws_blood_moves_the_study_up(service: Service, tmp_path: Path) -> None:
    """And confirming the network's result afterwards moves it back."""
    service.admit(head(tmp_path / "head"))
    service.work(Says("not found", 0.0))
    client = _client(service)
    assert "band-negative" in client.get("/").text
    drawn = Summary("found", "Hemorrhage found by hand.", 1, 40.0, findings=_SDH)
    row = {"result_id": 1, "reader": "ann", "reason": "", "folder": "", "at": 0.0}
    with service.db.write() as link:
        link.execute(verdict.insert().values(reading="modified", summary=drawn.to_json(), **row))
        link.execute(series.update().values(reading="modified", urgency=1, volume_ml=40.0))
    text = client.get("/").text
    assert "band-found" in text and "40.0 mL of blood, by the reader" in text
    assert "band-negative" not in text
    record_verdict(
        service.db, service.settings, User("bob", True), 1, Said(Reading.CONFIRMED, "", 1)
    )
    assert "band-negative" in client.get("/").text


def test_a_long_list_has_pages_and_the_most_urgent_come_first(
    service: Service, tmp_path: Path
) -> None:
    service.admit(head(tmp_path / "head"))
    service.work(Says("found", 250.0))
    (one,) = service.rows(series)
    (held,) = service.rows(result)
    with service.db.write() as link:
        for number in range(2, 251):
            link.execute(study.insert().values(id=number, uid=f"1.{number}", received_at=0.0))
            values = {"id": number, "study_id": number, "volume_ml": float(number)}
            link.execute(series.insert().values(**(one._asdict() | values)))
            values = {"id": number, "series_id": number}
            link.execute(result.insert().values(**(held._asdict() | values)))
    client = _client(service)
    pages = [_cases(client.get("/", params={"page": str(n)}).text) for n in (1, 2, 3)]
    assert [len(page) for page in pages] == [100, 100, 50]
    order = [case for page in pages for case in page]
    assert set(order[:2]) == {1, 250} and order[2:] == list(range(249, 1, -1))  # 1 has 250 mL too
    assert "1 to 100 of 250 studies" in client.get("/").text
    for wrong in ("0", "-1", "999", "x", "²"):
        assert len(_cases(client.get("/", params={"page": wrong}).text)) in (50, 100)


def test_an_empty_token_opens_nothing(service: Service) -> None:
    (service.settings.data / "token").write_text("")  # as a power cut may leave it
    client = _client(service, logged_in=False)
    assert client.get("/").status_code == 401
    assert client.get("/?token=").status_code == 401
    assert client.get("/", headers={"authorization": "Bearer "}).status_code == 401
    assert (service.settings.data / "token").read_text()


def test_a_fault_of_database_or_page_is_told_without_what_it_held(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = _client(service)
    faults = {503: sa.exc.OperationalError(NAME, {}, Exception(NAME)), 500: KeyError(NAME)}
    for status, fault in faults.items():

        def fails(*_: object, fault: Exception = fault, **__: object) -> None:
            raise fault

        monkeypatch.setattr("monai_ich.service.pages.read_places", fails)
        answer = client.get("/")
        assert answer.status_code == status and NAME not in answer.text
    assert len(caplog.records) >= 2 and NAME not in caplog.text


def test_filters_find_and_hide(service: Service, tmp_path: Path) -> None:
    service.admit(head(tmp_path / "head"))
    service.work(Says("found", 9.0))
    client = _client(service)
    assert 'data-case="1"' in client.get("/", params={"q": "doe zq47 case"}).text
    assert "No study fits" in client.get("/", params={"q": "nobody"}).text
    assert "No study fits" in client.get("/", params={"band": "negative"}).text
    assert "No study fits" in client.get("/", params={"reading": "confirmed"}).text
    rows = client.get("/", params={"rows": "1"})
    again = client.get("/", params={"rows": "1"}, headers={"if-none-match": rows.headers["etag"]})
    assert (rows.status_code, again.status_code) == (200, 304)


def test_of_two_readers_the_second_is_told_and_nothing_is_lost(
    service: Service, tmp_path: Path
) -> None:
    service.admit(head(tmp_path / "head"))
    service.work()
    ann, bob = _client(service), _client(service)
    form = _form(ann)
    stale = _form(bob)
    first = ann.post("/result/1/verdict", data=form | {"reading": "confirmed", "reason": ""})
    assert first.status_code == 303
    assert ann.get("/modified.json").status_code == 400, "nobody modified"
    late = bob.post("/result/1/verdict", data=stale | {"reading": "dismissed", "reason": "motion"})
    assert late.status_code == 409
    assert [r.reading for r in service.rows(verdict)] == ["confirmed"]
    fresh = bob.post(
        "/result/1/verdict", data=_form(bob) | {"reading": "dismissed", "reason": "motion"}
    )
    assert fresh.status_code == 303
    assert [r.reading for r in service.rows(verdict)] == ["confirmed", "dismissed"]
    assert service.rows(series)[0].reading == "dismissed"
    assert [r.action for r in service.rows(audit)][-1] == "verdict: dismissed"


def test_dismissing_needs_a_reason(service: Service, tmp_path: Path) -> None:
    service.admit(head(tmp_path / "head"))
    service.work()
    client = _client(service)
    answer = client.post(
        "/result/1/verdict", data=_form(client) | {"reading": "dismissed", "reason": " "}
    )
    assert answer.status_code == 400 and "REASON_NEEDED" in answer.text
    assert (
        client.post("/result/1/verdict", data=_form(client) | {"reading": "lovely"}).status_code
        == 400
    )


def test_masks_of_a_reader_are_measured_anew_and_both_are_kept(
    service: Service, tmp_path: Path
) -> None:
    service.admit(head(tmp_path / "head"))
    service.work()
    grid = Geometry((32, 32, 24), np.diag([4.0, 4.0, 5.0, 1.0]))
    folder = service.settings.data / service.rows(result)[0].folder
    hu = np.full(grid.shape, -1000.0, np.float32)
    hu[4:28, 4:28, 4:20] = 35.0
    sides = np.zeros(grid.shape, np.uint8)
    sides[4:16, 4:28, 4:20], sides[16:28, 4:28, 4:20] = (
        Anatomy.RIGHT_HEMISPHERE if grid.affine[0, 0] < 0 else Anatomy.LEFT_HEMISPHERE,
        Anatomy.LEFT_HEMISPHERE if grid.affine[0, 0] < 0 else Anatomy.RIGHT_HEMISPHERE,
    )
    write_nifti(folder / "ct.nii.gz", CTVolume(hu, grid))
    write_nifti(folder / "anatomy.nii.gz", LabelMap(sides, grid, Anatomy))
    drawn = np.zeros(grid.shape, np.uint8)
    drawn[8:13, 8:13, 8:13] = Subtype.IPH  # 125 voxels of 80 mm3: 10 mL
    write_seg_nrrd(tmp_path / "mine.seg.nrrd", LabelMap(drawn, grid, Subtype))
    client = _client(service)
    with (tmp_path / "mine.seg.nrrd").open("rb") as stream:
        answer = client.post(
            "/result/1/verdict",
            data=_form(client) | {"reading": "modified", "reason": ""},
            files={"masks": ("mine.seg.nrrd", stream)},
        )
    assert answer.status_code == 303, answer.text
    (row,) = service.rows(verdict)
    new, old = Summary.from_json(row.summary), Summary.from_json(service.rows(result)[0].summary)
    assert new.total_ml == pytest.approx(10.0) and old.total_ml == 12.0
    assert (service.settings.data / row.folder / "upload.seg.nrrd").is_file()
    assert client.get("/modified.json").status_code == 200
    page = client.get("/study/1").text
    assert "10.0" in page and "12.0" in page
    text = client.get("/modified.json").text
    assert NAME not in text and PATIENT not in text
    manifest = read_manifest(service.settings.data / "modified.json")
    (case,) = manifest.cases
    assert case.label is not None and case.patient == "patient_1"
    again = read_labels(case.label, Subtype, grid=read_ct(case.image[0]).volume.geometry)
    assert np.array_equal(again.voxels, drawn)
    bad = client.post(
        "/result/1/verdict",
        data=_form(client) | {"reading": "modified", "reason": ""},
        files={"masks": ("mine.seg.nrrd", b"nothing")},
    )
    assert bad.status_code == 400 and len(service.rows(verdict)) == 1
    assert len(list((service.settings.data / "verdicts").iterdir())) == 1


def test_a_verdict_on_a_result_that_was_superseded_is_a_conflict(
    service: Service, tmp_path: Path
) -> None:
    paths = head(tmp_path / "head")
    service.admit(paths[:-1])
    service.work()
    client = _client(service)
    form = _form(client)
    service.admit(paths[-1:])
    answer = client.post("/result/1/verdict", data=form | {"reading": "confirmed", "reason": ""})
    assert answer.status_code == 409
    assert "images are arriving" in client.get("/study/1").text


def test_files_of_results_are_a_closed_list(service: Service, tmp_path: Path) -> None:
    service.admit(head(tmp_path / "head"))
    service.work()
    client = _client(service)
    assert client.get("/result/1/report.html").status_code == 200
    policy = client.get("/result/1/report.html").headers["content-security-policy"]
    assert "sandbox allow-scripts" in policy and "default-src 'none'" in policy
    for name in ("sr.dcm", "summary.json", "..%2f..%2ftoken", "nothing"):
        assert client.get(f"/result/1/{name}").status_code == 404
    assert client.get("/study/99").status_code == 404


def test_a_proxy_names_the_user_and_only_a_trusted_one(tmp_path: Path) -> None:
    service = Service(
        tmp_path / "data", user_header="X-User", proxies=("testclient",), admins=("ann",)
    )
    paths = head(tmp_path / "head")
    service.admit([*paths[:4], *paths[5:]])
    service.work()
    client = _client(service, logged_in=False)
    assert client.get("/").status_code == 401
    assert client.get("/", headers={"X-User": "bob"}).status_code == 200
    page = client.get("/study/1", headers={"X-User": "ann"}).text
    form = {"form": re.findall(r'name="form" value="(\w+)"', page)[0]}
    assert client.post("/series/1/again", data=form, headers={"X-User": "bob"}).status_code == 403
    assert client.post("/series/1/again", data=form, headers={"X-User": "ann"}).status_code == 303
    assert service.states() == ["settled"]
    strange = Service(tmp_path / "data", user_header="X-User", proxies=("10.0.0.1",))
    assert _client(strange, logged_in=False).get("/", headers={"X-User": "ann"}).status_code == 401


def test_health_says_what_is_missing_and_figures_hold_no_identity(
    service: Service, tmp_path: Path
) -> None:
    service.admit(head(tmp_path / "head"))
    service.work()
    client = _client(service, logged_in=False)
    assert client.get("/healthz").text == "ok\n"
    answer = client.get("/readyz")
    assert answer.status_code == 503 and "no work process is alive" in answer.text
    for role in ("receive", "work", "send"):
        service.db.beat(f"here/{role}", role, "ready")
    assert client.get("/readyz").status_code == 200
    figures = client.get("/metrics").text
    assert 'monai_ich_series{state="analyzed"} 1.0' in figures and "monai_ich_ready 1.0" in figures
    assert NAME not in figures and PATIENT not in figures
    operations = _client(service).get("/operations").text
    assert "The chain is whole." in operations and "DOE" not in operations
