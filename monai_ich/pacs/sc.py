"""Pictures as a DICOM secondary capture, for viewers that show neither SEG nor SR.

References:
    DICOM PS3.3 A.8.1 (Secondary Capture Image).
"""

from __future__ import annotations

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRLittleEndian

from monai_ich.pacs.origin import Origin


def make_dicom_sc(
    picture: NDArray[np.uint8], origin: Origin, *, what: str, series_number: int
) -> hd.sc.SCImage:
    """Build one image.

    Args:
        picture: RGB ``(rows, columns, 3)``, with nothing in it that names the patient.
        origin: from `read_origin`.
        what: in the series description, for example ``"hemorrhage montage"``.
        series_number: 900 or more.

    Returns:
        a data set for `Origin.write`.
    """
    made = hd.sc.SCImage.from_ref_dataset(
        origin.images[0],
        np.ascontiguousarray(picture),
        "RGB",
        8,
        "PATIENT",
        patient_orientation=("L", "P"),
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **origin.arguments(what, series_number),
    )
    made.BurnedInAnnotation, made.ImageType, made.BodyPartExamined = (
        "NO",
        ["DERIVED", "SECONDARY"],
        "HEAD",
    )
    return made
