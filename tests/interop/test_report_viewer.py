"""A real browser (headless Chromium, from disk, offline) opens the report and scrolls through the
scan.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from monai_ich.anatomy.midline import fit_midline
from monai_ich.core.labels import Subtype, label_of
from monai_ich.core.provenance import Provenance
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.measure.summary import measure_exam
from monai_ich.report.html import write_report
from monai_ich.report.montage import render_montage
from monai_ich.report.view import turn
from tests.heads import anatomy
from tests.phantom import density, grid

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]
_LESION_MM, _RADIUS_MM = (-35, 10, 5), 15  # on the patient's left
_PATIENCE_MS = 240_000


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    geometry = grid(pixels=96, pixel_mm=2.2, tilt_deg=10)
    ras = geometry.to_world(np.moveaxis(np.indices(geometry.shape), 0, -1))
    ct, parts = CTVolume(density(ras).astype(np.float32), geometry), anatomy(geometry, shift_mm=6)
    blood = np.where(
        np.linalg.norm(ras - _LESION_MM, axis=-1) < _RADIUS_MM, int(Subtype.IPH), 0
    ).astype(np.uint8)
    labels, midline = LabelMap(blood, geometry, Subtype), fit_midline(parts)
    exam = measure_exam(labels, ct=ct, anatomy=parts, midline=midline)
    render_montage(folder / "m.png", ct, labels, anatomy=parts, midline=midline)
    write_report(
        folder / "report.html",
        exam,
        turn(ct, labels, parts),
        case_id="one",
        midline=midline,
        warnings=(),
        provenance=Provenance(versions={}),
        montage_png=folder / "m.png",
    )
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    flags = [
        "--no-sandbox",
        "--use-gl=angle",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
    ]
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(
            executable_path=CHROMIUM, args=flags, timeout=_PATIENCE_MS
        )
        yield chromium
        chromium.close()


def _picture(page: Any) -> NDArray[np.int64]:
    shot = page.locator("#viewer-panel canvas").screenshot(timeout=_PATIENCE_MS)
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(np.int64)


def _tinted(picture: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Pixels in the lesion's hue, red."""
    assert label_of(Subtype.IPH).color == (213, 62, 30)
    return np.asarray(
        (picture[..., 0] - picture[..., 1] > 40) & (picture[..., 0] - picture[..., 2] > 40)
    )


def test_on_a_phone_nothing_is_cut_off_or_unnamed(report: Path, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(report.as_uri())
    cut = "[...document.querySelectorAll('td, tbody th, p, img, svg, button')]"
    cut += ".filter(e => e.getBoundingClientRect().right > innerWidth).map(e => e.textContent)"
    assert page.evaluate(cut) == []
    told = "getComputedStyle(document.querySelector('td.n'), '::before').content"
    assert page.evaluate(told) == '"Value "'
    assert page.evaluate("[...document.images].filter(i => !i.alt).length") == 0
    assert (
        page.evaluate("[...document.querySelectorAll('svg')].filter(i => !i.ariaLabel).length") == 0
    )
    page.close()


@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_the_viewer_opens_offline_and_scrolls(report: Path, browser: Any, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 850})
    page.set_default_timeout(_PATIENCE_MS)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert (
        page.evaluate("typeof window.openViewer") == "undefined"
    )  # nothing is loaded until asked for
    page.focus("#viewer-open")
    page.keyboard.press("Enter")
    page.wait_for_selector("#viewer-open", state="hidden")
    page.wait_for_function("document.activeElement.name === 'slice'")
    box = page.locator("#viewer-panel canvas").bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] <= 850  # all of the picture is in view
    first = _picture(page)
    brain = (np.ptp(first, axis=-1) < 8) & (first[..., 0] > 60) & (first[..., 0] < 200)
    assert brain.mean() > 0.03
    tint = _tinted(first)
    assert 0.002 < tint.mean() < 0.2
    assert np.nonzero(tint)[1].mean() > first.shape[1] / 2  # the patient's left is on the right
    start = int(page.input_value("[name=slice]"))
    assert "IPH" in page.text_content("#viewer-panel [role=status]")
    page.keyboard.press("ArrowRight")
    assert int(page.input_value("[name=slice]")) == start + 1
    assert (np.abs(_picture(page) - first).max(axis=-1) > 20).mean() > 0.001
    page.keyboard.press("End")  # at the vertex there is no lesion
    assert not _tinted(_picture(page)).any()
    page.locator("[data-slice]").first.click()
    assert _tinted(_picture(page)).any()
    assert said == [] and asked == [report.as_uri()]
    page.close()
