"""A mask that 3D Slicer saves again comes back on the CT's whole grid, so that it can be measured with the CT."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from monai_ich.core.geometry import Geometry
from monai_ich.core.labels import Subtype
from monai_ich.core.volume import LabelMap
from monai_ich.io.seg_nrrd import read_seg_nrrd, write_seg_nrrd
from tests.conftest import ROOT
from tests.phantom import grid

SLICER = ROOT / ".slicer-venv" / "bin" / "python"
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not SLICER.exists(), reason=f"3D Slicer's code is not installed ({SLICER} is missing)"),
]

SAVER = """
import sys, slicer
scene = slicer.vtkMRMLScene()
logic = slicer.vtkSlicerSegmentationsModuleLogic()
logic.SetMRMLScene(scene)
node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "segmentation")
storage = slicer.vtkMRMLSegmentationStorageNode()
scene.AddNode(storage)
storage.SetFileName(sys.argv[1])
assert storage.ReadData(node)
storage.SetFileName(sys.argv[2])
assert storage.WriteData(node)
"""


@pytest.mark.parametrize("geometry", [grid(), grid(tilt_deg=18)], ids=["axial", "tilted"])
def test_saved_by_slicer_keeps_labels_and_the_whole_grid(tmp_path: Path, geometry: Geometry) -> None:
    voxels = np.zeros(geometry.shape, np.uint8)
    voxels[10:16, 20:30, 8:14], voxels[40:44, 30:50, 9:12] = Subtype.SDH, Subtype.IVH
    write_seg_nrrd(tmp_path / "ours.seg.nrrd", LabelMap(voxels, geometry, Subtype))
    command = [SLICER, "-c", SAVER, tmp_path / "ours.seg.nrrd", tmp_path / "slicer.seg.nrrd"]
    subprocess.run(command, check=True, timeout=300, capture_output=True)
    ours, slicer = (read_seg_nrrd(tmp_path / f"{name}.seg.nrrd", Subtype) for name in ("ours", "slicer"))
    assert slicer.geometry.same_grid(ours.geometry)
    assert np.array_equal(slicer.voxels, ours.voxels)
