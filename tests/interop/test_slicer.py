"""3D Slicer's own code (PyPI slicer-core, in an environment of its own) reads what we write, and we
what it saves.

A load that succeeds proves nothing, so every segment's name, color, terminology, count and place is
compared. A mask that is saved again comes back on the CT's whole grid, so that it can be measured
with the CT.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Subtype, label_of
from monai_ich.core.volume import LabelMap
from monai_ich.io.seg_nrrd import read_seg_nrrd, write_seg_nrrd
from tests.conftest import ROOT
from tests.phantom import grid

SLICER = ROOT / ".slicer-venv" / "bin" / "python"
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        not SLICER.exists(), reason=f"3D Slicer's code is not installed ({SLICER} is missing)"
    ),
]

LOADER = """
import json, sys
import numpy as np, slicer, vtk
from vtk.util.numpy_support import vtk_to_numpy
scene = slicer.vtkMRMLScene()
logic = slicer.vtkSlicerSegmentationsModuleLogic()
logic.SetMRMLScene(scene)
node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "segmentation")
storage = slicer.vtkMRMLSegmentationStorageNode()
scene.AddNode(storage)
storage.SetFileName(sys.argv[1])
assert storage.ReadData(node)
"""

READER = """
terms = slicer.vtkSlicerTerminologiesModuleLogic()
terms.SetMRMLScene(scene)
found = {}
for name in node.GetSegmentation().GetSegmentIDs():
    segment = node.GetSegmentation().GetSegment(name)
    image, matrix = slicer.vtkOrientedImageData(), vtk.vtkMatrix4x4()
    node.GetBinaryLabelmapRepresentation(name, image)
    image.GetImageToWorldMatrix(matrix)
    i0, i1, j0, j1, k0, k1 = image.GetExtent()
    voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1)
    kji = np.argwhere(voxels > 0)
    middle = [*(kji.mean(0)[::-1] + [i0, j0, k0]), 1.0] if len(kji) else None
    tag, entry = vtk.reference(""), slicer.vtkSlicerTerminologyEntry()
    segment.GetTag("TerminologyEntry", tag)
    assert terms.DeserializeTerminologyEntry(str(tag), entry)
    region = entry.GetRegionObject()
    found[name] = {
        "name": segment.GetName(), "color": segment.GetColor(), "label": segment.GetLabelValue(), "voxels": len(kji),
        "ras_mm": list(matrix.MultiplyPoint(middle)[:3]) if middle else None,
        "codes": [entry.GetCategoryObject().GetCodeValue(), entry.GetTypeObject().GetCodeValue(),
                  region.GetCodeValue() if region is not None and region.GetCodeValue() else None],
    }
json.dump(found, open(sys.argv[2], "w"))
"""

SAVER = """
storage.SetFileName(sys.argv[2])
assert storage.WriteData(node)
"""


def in_slicer(script: str, source: Path, target: Path) -> None:
    """Load a segmentation as ``node``, then go on with the script."""
    command = [SLICER, "-c", LOADER + script, source, target]
    subprocess.run(command, check=True, timeout=500, capture_output=True)


def _as_slicer_sees_it(path: Path) -> dict[str, dict[str, Any]]:
    answer = path.with_suffix(".json")
    in_slicer(READER, path, answer)
    found: dict[str, dict[str, Any]] = json.loads(answer.read_text())
    return found


def _labels(geometry: Geometry) -> LabelMap:
    voxels = np.zeros(geometry.shape, np.uint8)
    for n, subtype in enumerate(Subtype):
        voxels[8 + 9 * n : 14 + 9 * n, 10 : 30 + n, 8 : 14 + n] = subtype
    return LabelMap(voxels, geometry, Subtype)


def _left_handed() -> Geometry:
    oblique = np.array([[2, 0.3, 0], [-0.3, 2, 0], [0, 0, -4.0]])
    oblique[:, :2] /= np.linalg.norm(oblique[:, :2], axis=0) / 2
    affine = np.eye(4)
    affine[:3, :3] = oblique
    return Geometry((64, 64, 32), affine)


@pytest.mark.parametrize(
    "geometry", [grid(), grid(tilt_deg=18), _left_handed()], ids=["axial", "tilted", "turned"]
)
def test_slicer_sees_every_segment_as_written(tmp_path: Path, geometry: Geometry) -> None:
    labels = _labels(geometry)
    write_seg_nrrd(tmp_path / "ich.seg.nrrd", labels)
    found = _as_slicer_sees_it(tmp_path / "ich.seg.nrrd")
    assert list(found) == ["EDH", "IPH", "IVH", "SAH", "SDH"]
    for subtype in Subtype:
        segment, label = found[subtype.name], label_of(subtype)
        assert (segment["name"], segment["label"]) == (label.name, int(subtype))
        assert segment["color"] == pytest.approx([c / 255 for c in label.color], abs=1e-3)
        assert segment["codes"] == [
            "49755003",
            "50960005",
            label.region.value if label.region else None,
        ]
        assert segment["voxels"] == int((labels.voxels == subtype).sum())
        place = geometry.to_world(np.argwhere(labels.voxels == subtype).mean(axis=0))
        nearest = 1e-3 if geometry.is_orthogonal else 1.6  # half a pixel of the orthogonal copy
        assert np.abs(np.array(segment["ras_mm"]) - place).max() < nearest


def test_slicer_sees_absent_labels_as_empty_segments(tmp_path: Path) -> None:
    voxels = np.zeros((10, 10, 10), np.uint8)
    voxels[2:5, 2:5, 2:5] = Anatomy.RIGHT_VENTRICLE
    write_seg_nrrd(
        tmp_path / "anatomy.seg.nrrd", LabelMap(voxels, Geometry((10, 10, 10), np.eye(4)), Anatomy)
    )
    found = _as_slicer_sees_it(tmp_path / "anatomy.seg.nrrd")
    assert {name: segment["voxels"] for name, segment in found.items()} == {
        "LEFT_HEMISPHERE": 0,
        "RIGHT_HEMISPHERE": 0,
        "LEFT_VENTRICLE": 0,
        "RIGHT_VENTRICLE": 27,
        "POSTERIOR_FOSSA": 0,
    }


@pytest.mark.parametrize("geometry", [grid(), grid(tilt_deg=18)], ids=["axial", "tilted"])
def test_saved_by_slicer_keeps_labels_and_the_whole_grid(
    tmp_path: Path, geometry: Geometry
) -> None:
    voxels = np.zeros(geometry.shape, np.uint8)
    voxels[10:16, 20:30, 8:14], voxels[40:44, 30:50, 9:12] = Subtype.SDH, Subtype.IVH
    write_seg_nrrd(tmp_path / "ours.seg.nrrd", LabelMap(voxels, geometry, Subtype))
    in_slicer(SAVER, tmp_path / "ours.seg.nrrd", tmp_path / "slicer.seg.nrrd")
    ours, slicer = (
        read_seg_nrrd(tmp_path / f"{name}.seg.nrrd", Subtype) for name in ("ours", "slicer")
    )
    assert slicer.geometry.same_grid(ours.geometry)
    assert np.array_equal(slicer.voxels, ours.voxels)
