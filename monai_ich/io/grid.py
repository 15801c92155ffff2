"""Where the voxels of a file are, whatever they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from monai_ich.core.errors import InputError
from monai_ich.core.geometry import Geometry
from monai_ich.io.quiet import quiet


def read_nifti_grid(path: Path) -> Geometry:
    """The grid of a NIfTI file, from its header alone.

    Raises:
        InputError: ``INPUT_NOT_FOUND``, ``NOT_NIFTI``, ``NOT_3D``, ``NO_ORIENTATION``.
    """
    if not path.exists():
        raise InputError("INPUT_NOT_FOUND", "The grid to follow does not exist: check the path given.")
    try:
        with quiet("nibabel.global"):
            image: Any = nib.load(path)
        shape = tuple(int(n) for n in image.shape)
        affine = np.asarray(image.affine, np.float64)
        codes = int(image.header["sform_code"]), int(image.header["qform_code"])
    except Exception as error:  # a damaged header fails in many ways
        raise InputError("NOT_NIFTI", "The file is named like NIfTI but cannot be read as such.") from error
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3:
        raise InputError("NOT_3D", f"A head CT or label map has three dimensions, found shape {shape}.")
    if codes == (0, 0):
        raise InputError("NO_ORIENTATION", "The file has neither sform nor qform, so left and right are unknown.")
    return Geometry((shape[0], shape[1], shape[2]), affine)
