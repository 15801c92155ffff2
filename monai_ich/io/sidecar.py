"""What a JSON file beside a NIfTI file says of the scanner, as BIDS and dcm2niix keep it."""

from __future__ import annotations

import re
from pathlib import Path

from monai_ich.core.acquisition import Acquisition
from monai_ich.core.json_text import read_json

_NAMES = ("SliceThickness", "ConvolutionKernel", "Manufacturer")


def read_sidecar(image: Path) -> Acquisition:
    """How a NIfTI file's scan was made; a sidecar that cannot be read says nothing.

    References:
        BIDS 1.11 (Manufacturer); dcm2niix (the other names are those of DICOM)
    """
    path = image.with_name(re.sub(r"\.nii(\.gz)?$", "", image.name, flags=re.IGNORECASE) + ".json")
    try:
        record = read_json(path)
        stated = [record.get(name) for name in _NAMES]
    except (OSError, ValueError, AttributeError):
        return Acquisition(reason="NIfTI does not say it, and no sidecar does")
    return Acquisition.stated(*stated, where="the sidecar of the NIfTI file")
