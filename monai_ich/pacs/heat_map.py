"""Heat maps as DICOM Parametric Maps on the source images, for viewers that fuse them with the CT.

References:
    DICOM PS3.3 A.75 (Parametric Map), C.7.6.16.2.11 (Real World Value Mapping).
"""

from __future__ import annotations

import highdicom as hd
import numpy as np
from pydicom.sr.codedict import codes as dicom_codes
from pydicom.uid import RLELossless

from monai_ich.core.heat_map import HeatMap
from monai_ich.pacs.origin import Origin, usable_source
from monai_ich.pacs.seg import on_all_frames, on_source_slices, say_spacing


def make_dicom_heat_map(
    found: HeatMap, origin: Origin, *, series_number: int
) -> hd.pm.ParametricMap:
    """Build the map of one subtype; a value is the share of the highest of this map, 0 to 1.

    Args:
        found: on the CT's grid.
        origin: from `read_origin`.
        series_number: 900 or more.

    Returns:
        a data set for `Origin.write`.

    Raises:
        GeometryError: ``GRID_MISMATCH`` where the map is on another grid.
        SeriesError: ``BAD_SOURCE``.
    """
    name = found.subtype.name
    pixels = on_all_frames(on_source_slices(found, origin.source), origin)
    pixels = pixels.astype(np.uint16)  # the standard allows no 8 bits here
    mapping = hd.pm.RealWorldValueMapping(
        lut_label="SHARE",
        lut_explanation="Share of the highest value of this map; no probability",
        unit=dicom_codes.UCUM.NoUnits,
        value_range=(0, 255),
        slope=1.0 / 255.0,
        intercept=0.0,
    )
    with usable_source():
        made = hd.pm.ParametricMap(
            source_images=list(origin.images),
            pixel_array=pixels,
            contains_recognizable_visual_features=False,
            real_world_value_mappings=[mapping],
            voi_lut_transformations=[hd.VOILUTTransformation(127.5, 255.0)],  # of what is stored
            transfer_syntax_uid=RLELossless,
            content_label=f"HEAT_MAP_{name}",
            content_description=f"What speaks for {name}, for research only",
            derived_pixel_contrast="NONE",
            **origin.arguments(f"{name} heat map", series_number),
        )
    say_spacing(made, np.array(origin.source.positions_mm))
    made.BodyPartExamined = "HEAD"
    return made
