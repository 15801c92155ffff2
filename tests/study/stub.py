"""A pipeline without networks, by thresholds. ``python -m tests.study.stub INPUT OUT PACE`` is a
study with it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from monai_ich.analysis import Pipeline
from monai_ich.bundle.runtime import Runtime
from monai_ich.core.calibration import ANY, Evidence
from monai_ich.core.labels import Anatomy, Subtype
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.io.nifti import write_nifti
from monai_ich.io.read import Scan, read_ct
from monai_ich.measure.summary import measure_exam
from monai_ich.results.files import write_results
from monai_ich.segment.ich import Hemorrhage
from monai_ich.study.inputs import list_cases
from monai_ich.study.run import run_study
from tests.phantom import grid, phantom

SIX = ("case_1", "case_2", "case_3", "case_4", "case_5", "case_6")
TEXT, AIR = "case_3", "case_5"  # the broken ones


def build(pace_s: float = 0.0) -> Pipeline:
    """A pipeline that takes `pace_s` seconds more for each scan; a file called ``deadly`` kills its
    process.
    """

    def read(path: Path) -> Scan:
        if "deadly" in path.name:
            os.kill(os.getpid(), signal.SIGKILL)
        if "faulty" in path.name:
            raise ZeroDivisionError("DOE^JANE")
        time.sleep(pace_s)
        return read_ct(path)

    def bundle() -> Any:
        return SimpleNamespace(
            name="stub",
            weights_sha256="0" * 64,
            configs_sha256="1" * 64,
            status="A stub.",
            uncertain=(),
            runtime=Runtime.TORCH,
            calibration=None,
        )

    return Pipeline(
        read=read,
        load_anatomy=bundle,
        load_ich=bundle,
        segment_anatomy=_anatomy,
        fit_midline=lambda anatomy: NotMeasurable("a stub has no midline"),
        segment_ich=_blood,
        measure=measure_exam,
        write=write_results,
    )


def _anatomy(ct: CTVolume, *, bundle: Any) -> LabelMap:
    i = np.arange(ct.geometry.shape[0])[:, None, None]
    sides = np.where(
        i < ct.geometry.shape[0] / 2, Anatomy.RIGHT_HEMISPHERE, Anatomy.LEFT_HEMISPHERE
    )
    return LabelMap(
        np.where((ct.hu > 0) & (ct.hu < 100), sides, 0).astype(np.uint8), ct.geometry, Anatomy
    )


def _blood(ct: CTVolume, cavity: Any, *, within: Any, bundle: Any) -> Hemorrhage:
    found = ((ct.hu > 60) & cavity.voxels).astype(np.uint8) * np.uint8(Subtype.IPH)
    nothing = dict.fromkeys([*Subtype.__members__, ANY], 0.0)
    return Hemorrhage(
        LabelMap(found, ct.geometry, Subtype), None, Evidence(nothing, nothing, nothing)
    )


def write_head(path: Path) -> Path:
    """A phantom head as NIfTI."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_nifti(path, phantom(grid(pixels=48, pixel_mm=4.3, slice_mm=8.0, count=20)))
    return path


def write_six(folder: Path) -> Path:
    """Six scans, two of them broken: one is text, one holds air alone."""
    for name in SIX:
        write_head(folder / f"{name}.nii.gz")
    (folder / f"{TEXT}.nii.gz").write_text("nothing")
    geometry = grid(pixels=48, pixel_mm=4.3, slice_mm=8.0, count=20)
    write_nifti(folder / f"{AIR}.nii.gz", CTVolume(np.full(geometry.shape, -1000.0), geometry))
    return folder


if __name__ == "__main__":
    done = run_study(
        list_cases(sys.argv[1]),
        sys.argv[2],
        build=partial(build, float(sys.argv[3])),
        settings="stub",
        workers=2,
    )
    sys.exit(4 if done.failures else 0)
