"""MONAI-ICH: segmentation and measurement of intracranial hemorrhage on non-contrast head CT. For
research use.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.2.0"

_HOME = {
    "analyze": "analysis",
    "load_pipeline": "analysis",
    "Analysis": "results.files",
    "load_bundle": "bundle",
    "predict": "bundle",
    "read_ct": "io.read",
    "read_labels": "io.read",
    "write_nifti": "io.nifti",
    "write_seg_nrrd": "io.seg_nrrd",
    "find_atlas_pose": "anatomy.atlas_pose",
    "fit_midline": "anatomy.midline",
    "measure_exam": "measure.summary",
    "measure_midline_shift": "measure.midline_shift",
    "synthesize": "synth.generate",
    "draw_case": "synth.draw",
    "Geometry": "core.geometry",
    "CTVolume": "core.volume",
    "LabelMap": "core.volume",
    "Mask": "core.volume",
    "Subtype": "core.labels",
    "Anatomy": "core.labels",
    "Measurement": "core.measurement",
    "IchError": "core.errors",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: ``import monai_ich`` alone costs nothing.

    ``dir()`` lists none of them: MONAI's bundles look at all that is listed of packages whose name
    begins with monai, and would load every one.
    """
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
