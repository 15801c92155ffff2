"""3D Slicer's own code opens the scene, and what it saves is measured like the NIfTI that it came
from.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_ich.anatomy.midline import fit_midline
from monai_ich.cli.app import main
from monai_ich.core.exam import MidlineShift
from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Anatomy, Subtype, label_of
from monai_ich.core.midline import Midline
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.io.seg_nrrd import write_seg_nrrd
from monai_ich.io.slicer_markups import midline_markups
from monai_ich.io.slicer_scene import write_scene
from monai_ich.measure.midline_shift import measure_midline_shift
from tests.heads import anatomy
from tests.interop.test_slicer import SAVER, SLICER, in_slicer, pytestmark  # noqa: F401
from tests.phantom import density, grid

OPENER = """
import json, sys, tempfile
import numpy as np, slicer, vtk
from vtk.util.numpy_support import vtk_to_numpy
scene = slicer.vtkMRMLScene()
for name in ("MarkupsLineNode", "MarkupsFiducialNode", "MarkupsDisplayNode", "MarkupsJsonStorageNode"):
    scene.RegisterNodeClass(getattr(slicer, "vtkMRML" + name)())
logic = slicer.vtkSlicerSegmentationsModuleLogic()
logic.SetMRMLScene(scene)
cache, manager = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
cache.SetRemoteCacheDirectory(tempfile.mkdtemp())
manager.SetCacheManager(cache)
scene.SetDataIOManager(manager)
scene.SetCacheManager(cache)
assert scene.ReadFromMRB(sys.argv[1])
ct = scene.GetFirstNodeByName("CT")
matrix = vtk.vtkMatrix4x4()
ct.GetIJKToRASMatrix(matrix)
hu = vtk_to_numpy(ct.GetImageData().GetPointData().GetScalars())
display = ct.GetDisplayNode()
found = {
    "shape": ct.GetImageData().GetDimensions(),
    "affine": [[matrix.GetElement(r, c) for c in range(4)] for r in range(4)],
    "hu_sum": float(hu.astype(float).sum()), "window": display.GetWindow(), "level": display.GetLevel(),
    "background": scene.GetNodeByID("vtkMRMLSliceCompositeNodeRed").GetBackgroundVolumeID() == ct.GetID(),
    "segments": {}, "markups": {},
}
for name in ("Hemorrhage", "Anatomy"):
    node = scene.GetFirstNodeByName(name)
    for key in node.GetSegmentation().GetSegmentIDs():
        image, segment = slicer.vtkOrientedImageData(), node.GetSegmentation().GetSegment(key)
        node.GetBinaryLabelmapRepresentation(key, image)
        voxels = int((vtk_to_numpy(image.GetPointData().GetScalars()) > 0).sum())
        found["segments"][key] = [segment.GetName(), segment.GetColor(), voxels, node.GetDisplayNode().GetVisibility()]
for name in ("Ideal midline", "Midline shift", "Largest shift"):
    node, points = scene.GetFirstNodeByName(name), []
    for n in range(node.GetNumberOfControlPoints()):
        point = [0.0, 0.0, 0.0]
        node.GetNthControlPointPositionWorld(n, point)
        points.append(point)
    found["markups"][name] = points
json.dump(found, open(sys.argv[2], "w"))
"""

REMOVER = """
node.GetSegmentation().RemoveSegment("SDH")
"""


def _shifted(parts: LabelMap) -> tuple[Midline, MidlineShift]:
    midline = fit_midline(parts)
    assert isinstance(midline, Midline)
    return midline, measure_midline_shift(midline)


def _blood(geometry: Geometry) -> LabelMap:
    ras = geometry.to_world(np.moveaxis(np.indices(geometry.shape), 0, -1))
    voxels = np.zeros(geometry.shape, np.uint8)
    for subtype, center in ((Subtype.IPH, (-35, 10, 5)), (Subtype.SDH, (40, -20, 20))):
        voxels[np.linalg.norm(ras - center, axis=-1) < 12] = subtype
    return LabelMap(voxels, geometry, Subtype)


@pytest.mark.parametrize("tilt_deg", [0, 10])
def test_slicer_opens_the_scene_with_ct_segments_and_markers(
    tmp_path: Path, tilt_deg: float
) -> None:
    geometry = grid(pixels=96, pixel_mm=2.2, tilt_deg=tilt_deg)
    labels, parts = _blood(geometry), anatomy(geometry, shift_mm=6)
    ras = geometry.to_world(np.moveaxis(np.indices(geometry.shape), 0, -1))
    ct = CTVolume(np.rint(density(ras)).astype(np.float32), geometry)
    midline, shift = _shifted(parts)
    write_scene(
        tmp_path / "s.mrb",
        ct,
        {"Hemorrhage": labels, "Anatomy": parts},
        midline_markups(midline, shift),
    )
    command = [SLICER, "-c", OPENER, tmp_path / "s.mrb", tmp_path / "found.json"]
    subprocess.run(command, check=True, timeout=500, capture_output=True)
    found: dict[str, Any] = json.loads((tmp_path / "found.json").read_text())
    shown = Geometry(tuple(found["shape"]), np.array(found["affine"]))
    assert shown.same_grid(geometry.orthogonal()) and found["background"]
    assert (found["level"], found["window"]) == (40, 80)
    if not tilt_deg:
        assert found["hu_sum"] == pytest.approx(ct.hu.sum(dtype=float))
    assert list(found["segments"]) == [value.name for value in (*Subtype, *Anatomy)]
    for image in (labels, parts):
        for value in image.labels:
            name, color, voxels, visible = found["segments"][value.name]
            assert name == label_of(value).name and visible == (image is labels)
            assert color == pytest.approx([c / 255 for c in label_of(value).color], abs=1e-3)
            assert voxels * shown.voxel_ml == pytest.approx(image.volume_ml(value), rel=0.02)
    marks = {name: np.array(points) for name, points in found["markups"].items()}
    assert np.allclose(marks["Largest shift"], [shift.largest.at_ras_mm], atol=0.01)
    offset = abs(float(midline.distance_mm(np.array([shift.at_ras_mm]))[0]))
    assert np.linalg.norm(np.diff(marks["Midline shift"], axis=0)) == pytest.approx(
        offset, abs=0.01
    )
    assert np.abs(midline.distance_mm(marks["Ideal midline"])).max() < 0.01


def test_what_slicer_edits_and_saves_is_measured_like_the_nifti(tmp_path: Path) -> None:
    geometry = grid(pixels=96, pixel_mm=2.2)
    labels = _blood(geometry)
    write_seg_nrrd(tmp_path / "ours.seg.nrrd", labels)
    in_slicer(REMOVER + SAVER, tmp_path / "ours.seg.nrrd", tmp_path / "edited.seg.nrrd")
    kept = LabelMap(np.where(labels.voxels == Subtype.SDH, 0, labels.voxels), geometry, Subtype)
    write_nifti(tmp_path / "kept.nii.gz", kept)
    write_nifti(tmp_path / "anatomy.nii.gz", anatomy(geometry, shift_mm=6))
    records = []
    for mask in ("edited.seg.nrrd", "kept.nii.gz"):
        given = [
            str(tmp_path / mask),
            "--anatomy",
            str(tmp_path / "anatomy.nii.gz"),
            "--case-id",
            "c",
        ]
        out = tmp_path / f"{mask}-out"
        assert main(["measure", *given, "-o", str(out)]) == 0
        records.append(json.loads((out / "measurements.json").read_text()))
    assert (
        records[0]["subtypes"]["SDH"]["volume_ml"] == 0 < records[0]["subtypes"]["IPH"]["volume_ml"]
    )
    assert records[0] == records[1]
