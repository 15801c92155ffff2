"""A series is chosen by what its images show where its header is silent: noise, sharp edges, dense
vessels.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from monai_ich.dicom.appearance import appearance_of, middle
from monai_ich.dicom.survey import survey
from monai_ich.io.read import read_ct
from tests import dicom_writers as write
from tests.phantom import edit, files, series

PIXEL_MM = 0.5


def head(
    *, psf_mm: float = 0.55, noise_hu: float = 0.0, vessels_mm2: float = 0.0
) -> NDArray[np.float32]:
    """Three slices: a disk of brain in bone in skin, seen through a Gaussian point spread, with
    white noise.
    """
    x, y = np.meshgrid(*[np.arange(-120, 120, PIXEL_MM)] * 2, indexing="ij")
    r = np.hypot(x, y)
    hu = np.select([r < 75, r < 82, r < 88], [35.0, 1000.0, 30.0], -1000.0)
    hu[np.hypot(x - 20, y) < (vessels_mm2 / np.pi) ** 0.5] = 300.0
    hu = np.repeat(ndimage.gaussian_filter(hu, psf_mm / PIXEL_MM)[..., None], 3, axis=2)
    return (hu + np.random.default_rng(0).normal(0, noise_hu, hu.shape)).astype(np.float32)


def test_noise_is_that_of_white_noise() -> None:
    seen = appearance_of(head(noise_hu=7.0), pixel_mm=PIXEL_MM, thickness_mm=4.0)
    assert seen.noise_hu == pytest.approx(7.0, rel=0.03)
    assert not seen.is_sharp  # 7 HU x 2 mm^0.5 = 14


def test_noise_counts_by_the_thickness_of_the_slices() -> None:
    thin, thick = (
        appearance_of(head(noise_hu=18.0), pixel_mm=PIXEL_MM, thickness_mm=t) for t in (0.6, 5.0)
    )
    assert not thin.is_sharp and thick.is_sharp  # 18 x 0.77 = 14, 18 x 2.24 = 40


@pytest.mark.parametrize(
    ("psf_mm", "sharp"), [(0.55, False), (0.65, False), (0.22, True), (0.3, True)]
)
def test_an_edge_is_as_wide_as_its_point_spread(psf_mm: float, sharp: bool) -> None:
    """The steepest slope of a Gaussian edge of 1,030 HU is 1,030 / (sigma sqrt(2 pi)), lower
    between whole pixels.
    """
    seen = appearance_of(head(psf_mm=psf_mm), pixel_mm=PIXEL_MM, thickness_mm=5.0)
    assert seen.edge_mm is not None and seen.is_sharp is sharp
    if not sharp:
        assert seen.edge_mm == pytest.approx(psf_mm * (2 * np.pi) ** 0.5 / 1.03, rel=0.12)


def test_coarse_pixels_say_nothing_of_edges() -> None:
    assert appearance_of(head()[::4, ::4], pixel_mm=2.0, thickness_mm=5.0).edge_mm is None


def test_vessels_are_a_share_of_what_lies_inside_the_skull() -> None:
    inside_mm2 = np.pi * 70**2  # 5 mm from bone
    seen = appearance_of(head(vessels_mm2=150.0), pixel_mm=PIXEL_MM, thickness_mm=5.0)
    assert seen.vessels == pytest.approx(150.0 / inside_mm2, rel=0.25) and seen.is_enhanced
    assert not appearance_of(
        head(vessels_mm2=10.0), pixel_mm=PIXEL_MM, thickness_mm=5.0
    ).is_enhanced


def test_the_border_of_a_stripped_brain_is_no_edge_of_skin() -> None:
    hu = head()
    hu[hu > 100] = -1024
    seen = appearance_of(np.where(hu < 0, -1024, hu), pixel_mm=PIXEL_MM, thickness_mm=5.0)
    assert seen.edge_mm is None and not seen.is_sharp


def test_an_image_of_air_shows_nothing() -> None:
    seen = appearance_of(np.full((64, 64, 3), -1000, np.float32), pixel_mm=0.5, thickness_mm=1.0)
    assert np.isnan(seen.noise_hu) and not seen.is_sharp and not seen.is_enhanced


def test_the_middle_is_within_the_series() -> None:
    assert middle(3) == [1] and middle(11) == [3, 4, 5, 6, 7]


@pytest.mark.slow
@pytest.mark.parametrize("change", [write.noise, write.vessels])
def test_the_soft_native_series_is_taken_though_no_word_says_so(
    tmp_path: Path, change: Callable[[pydicom.Dataset, int], None]
) -> None:
    write.beside_another(tmp_path, change)
    scan = read_ct(tmp_path)
    assert scan.source is not None and {p.stem[-1] for p in scan.source.paths} == {"b"}
    said = survey(tmp_path).candidates[1].reasons
    assert any("noise" in reason or "vessels" in reason for reason in said)


@pytest.mark.parametrize(
    ("change", "code"), [(write.noise, "SHARP_KERNEL"), (write.vessels, "CONTRAST")]
)
def test_a_series_without_a_better_one_is_read_with_a_warning(
    tmp_path: Path, change: Callable[[pydicom.Dataset, int], None], code: str
) -> None:
    edit(series(tmp_path / "s"), change)
    assert [w.code for w in read_ct(tmp_path).warnings] == [code]


def test_images_that_cannot_be_decoded_leave_the_choice_to_the_header(tmp_path: Path) -> None:
    broken = series(tmp_path / "a", seed=1, ConvolutionKernel="BONE", **write.STUDY)
    for path in files(broken):
        d = pydicom.dcmread(path)
        d.PixelData = d.PixelData[:100]
        d.save_as(path)
    soft = series(tmp_path / "b", seed=2, **write.STUDY)
    scan = read_ct(tmp_path)
    assert scan.source is not None and {p.parent for p in scan.source.paths} == {soft}
