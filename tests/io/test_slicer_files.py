import json
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import numpy as np
import pytest

from monai_ich.core.exam import MidlineShift, ShiftAt
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.measurement import Measurement
from monai_ich.core.midline import Midline
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.io.output import output_folder
from monai_ich.io.slicer_markups import midline_markups, write_markups
from monai_ich.io.slicer_scene import write_color_table, write_scene

_MIDLINE = Midline(
    np.zeros(3), np.array([1.0, 0, 0]), np.array([[4.0, 0, 5], [6.0, 10, 5]]), np.array([1, 1])
)


def _shift(at: tuple[float, float, float] | None) -> MidlineShift:
    measured = Measurement("midline_shift", 6.0, "mm", "midline", "by hand")
    largest = ShiftAt(measured, "right", at and (7.0, 20.0, 5.0))
    return MidlineShift(measured, "right", at, largest=largest)


def test_the_marked_shift_runs_from_the_ideal_plane_to_the_displaced_point(tmp_path: Path) -> None:
    write_markups(tmp_path / "m.mrk.json", midline_markups(_MIDLINE, _shift((6.0, 10.0, 5.0))))
    marks = {m["name"]: m for m in json.loads((tmp_path / "m.mrk.json").read_text())["markups"]}
    places = {name: [p["position"] for p in mark["controlPoints"]] for name, mark in marks.items()}
    assert places["Midline shift"] == [[0, 10, 5], [6, 10, 5]] and places["Largest shift"] == [
        [7, 20, 5]
    ]
    assert places["Ideal midline"] == [[0, -30, 5], [0, 40, 5]]
    assert {m["coordinateSystem"] for m in marks.values()} == {"RAS"}


def test_a_shift_that_was_not_measured_is_not_marked() -> None:
    assert midline_markups(_MIDLINE, _shift(None)) == []


def test_the_color_table_names_every_label(tmp_path: Path) -> None:
    write_color_table(tmp_path / "ich.ctbl", Subtype)
    lines = (tmp_path / "ich.ctbl").read_text().splitlines()
    assert (
        lines[1:3] == ["0 background 0 0 0 0", "1 Epidural_hematoma 240 228 66 255"]
        and len(lines) == 7
    )


def test_every_file_that_a_scene_points_to_is_in_it(tmp_path: Path) -> None:
    geometry = Geometry((8, 8, 4), np.diag([1.0, 1, 5, 1]))
    labels = LabelMap(np.ones(geometry.shape, np.uint8), geometry, Subtype)
    marks = midline_markups(_MIDLINE, _shift((6.0, 10.0, 5.0)))
    write_scene(
        tmp_path / "s.mrb",
        CTVolume(np.zeros(geometry.shape, np.float32), geometry),
        {"Blood": labels},
        marks,
    )
    with zipfile.ZipFile(tmp_path / "s.mrb") as archive:
        root = ElementTree.fromstring(archive.read("s/scene.mrml"))
        pointed = {f"s/{node.get('fileName')}" for node in root if node.get("fileName")}
        assert pointed | {"s/scene.mrml"} == set(archive.namelist()) and len(pointed) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["s.mrb"]


def test_an_earlier_result_that_is_not_made_anew_goes(tmp_path: Path) -> None:
    (tmp_path / "scene.mrb").write_text("of another scan")
    (tmp_path / "notes.txt").write_text("the user's")
    with output_folder(tmp_path, results=("a.json", "scene.mrb"), overwrite=True) as scratch:
        (scratch / "a.json").write_text("{}")
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", "notes.txt"}
    with pytest.raises(ValueError), output_folder(tmp_path, results=("a.json",), overwrite=True):
        raise ValueError("a failure keeps what was there")
    assert (tmp_path / "a.json").exists()
