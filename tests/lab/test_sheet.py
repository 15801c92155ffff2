from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from lab.sheet import LEAST_ML, render_sheet, seeds_where, subtype_tiles, write_sheets
from lab.tile import Tile, cut_tile, draw_tile, tile_title
from monai_ich.core.labels import Subtype, label_of
from monai_ich.synth.case import ScannerCase
from monai_ich.synth.draw import draw_case, with_hemorrhages
from monai_ich.synth.generate import SyntheticScan, synthesize
from monai_ich.synth.parallel import map_jobs

SMALL = ScannerCase(pixels=96, pixel_mm=2.3, slice_mm=6.0, thickness_mm=6.0, tilt_deg=20.0)
NONE_ML = {s.name: 0.0 for s in Subtype}

pytestmark = pytest.mark.slow


def _scan(wanted: dict[Subtype, float]) -> SyntheticScan:
    return synthesize(replace(with_hemorrhages(draw_case(3), wanted), scanner=SMALL))


def _tile(hu: float, *, pixel_mm: tuple[float, float] = (2.0, 2.0)) -> Tile:
    """A uniform slice of 100 x 100 pixels with a square of SDH, 40 x 40 pixels, in its middle."""
    blood = np.zeros((100, 100), np.uint8)
    blood[30:70, 30:70] = Subtype.SDH
    center_mm = (49.5 * pixel_mm[0], 49.5 * pixel_mm[1])
    image = np.full((100, 100), hu, np.float32)
    return Tile(
        7,
        image,
        blood,
        np.zeros_like(blood),
        pixel_mm,
        center_mm,
        NONE_ML | {"SDH": 12.34},
        -3.21,
        5.0,
    )


def test_a_tile_is_the_slice_with_most_blood_of_a_tilted_scan() -> None:
    scan = _scan({Subtype.IPH: 15.0, Subtype.SDH: 30.0})
    for subtype in (Subtype.IPH, Subtype.SDH):
        tile = cut_tile(scan, subtype)
        assert (
            (tile.blood == subtype).sum()
            == (scan.labels.voxels == subtype).sum(axis=(0, 1)).max()
            > 0
        )
    assert (cut_tile(scan).blood > 0).sum() == (scan.labels.voxels > 0).sum(axis=(0, 1)).max()
    assert scan.ct.geometry.tilt_deg == pytest.approx(20.0)
    assert tile.pixel_mm == pytest.approx((2.3, 2.3))  # not shortened by the tilt


def test_a_head_without_blood_shows_the_middle_of_its_cavity() -> None:
    scan = _scan({})
    tile = cut_tile(scan)
    assert (tile.anatomy > 0).sum() > 0.5 * (scan.anatomy.voxels > 0).sum(axis=(0, 1)).max()
    assert tile_title(tile).startswith("3 · 6.0 mm · no blood · shift ")


def test_a_title_tells_seed_slice_volume_and_shift() -> None:
    assert tile_title(_tile(40.0), Subtype.SDH) == "7 · 5.0 mm · SDH 12 mL · shift -3.2"
    assert tile_title(_tile(40.0)) == "7 · 5.0 mm · SDH 12 mL · shift -3.2"
    assert "IPH 0.0 mL" in tile_title(_tile(40.0), Subtype.IPH)


def test_pixels_are_drawn_in_millimeters() -> None:
    figure = Figure()
    FigureCanvasAgg(figure)
    plain, outlined = figure.subplots(1, 2)
    draw_tile(plain, outlined, _tile(40.0, pixel_mm=(1.0, 2.0)))
    assert plain.images[0].get_extent() == [-0.5, 99.5, 199.0, -1.0] and plain.get_aspect() == 1.0
    outline = outlined.collections[0].get_paths()[0].vertices
    assert np.ptp(outline, axis=0) == pytest.approx([40.0, 80.0])  # 40 x 40 pixels


def test_a_sheet_shows_each_head_plain_and_outlined(tmp_path: Path) -> None:
    render_sheet(tmp_path / "sheet.png", [_tile(80.0), _tile(0.0)], "two heads", Subtype.SDH)
    picture = imread(tmp_path / "sheet.png")[..., :3]
    tiles = np.array_split(picture[picture.shape[0] // 4 :], 8, axis=1)
    brightness = [tile.mean() for tile in tiles]
    assert min(brightness[:2]) > 0.6 and max(brightness[4:]) == 0.0
    color = np.array(label_of(Subtype.SDH).color) / 255
    colored = [int((np.abs(tile - color).max(axis=-1) < 0.1).sum()) for tile in tiles]
    assert colored[0] == colored[2] == 0 and colored[1] > 50 and colored[3] > 50


def test_seeds_are_found_before_anything_is_synthesized_and_used_once() -> None:
    used: set[int] = set()
    bare = list(islice(seeds_where(lambda case: not case.hemorrhages, 0, used), 5))
    assert not any(draw_case(seed).hemorrhages for seed in bare)
    assert set(islice(seeds_where(lambda case: True, 0, used), 5)).isdisjoint(bare)


def test_every_head_of_a_subtype_holds_one_milliliter_of_it() -> None:
    small = next(s for s in range(300) if 0 < _asked_ml(s, Subtype.IPH) < 0.6 * LEAST_ML)
    large = next(s for s in range(300) if _asked_ml(s, Subtype.IPH) > 4.0)
    tiles = subtype_tiles(Subtype.IPH, iter([small, large]), 1, workers=1)
    assert [t.seed for t in tiles] == [large]


def _asked_ml(seed: int, subtype: Subtype) -> float:
    case = draw_case(seed)
    thick = case.scanner.slice_mm > 4.0  # quick to make
    return thick * sum(b.volume_ml for b in case.hemorrhages if b.subtype is subtype)


def test_all_sheets_are_written(tmp_path: Path) -> None:
    names = [path.name for path in write_sheets(tmp_path, cases=1, workers=1)]
    assert names == [
        "random.png",
        "edh.png",
        "iph.png",
        "ivh.png",
        "sah.png",
        "sdh.png",
        "none.png",
    ]
    assert all((tmp_path / name).stat().st_size > 5000 for name in names)


def test_workers_give_results_in_order() -> None:
    assert list(map_jobs(abs, [-3, 2, -1], workers=2)) == [3, 2, 1]
