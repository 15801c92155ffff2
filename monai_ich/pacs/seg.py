"""Label maps as DICOM SEG on the source images, slice by slice.

Each frame takes position, orientation and pixels of the source image that it lies on, so tilted and
unevenly spaced series are right. Labels of a regridded series (see `CTVolume.slab_widths_mm`) go
back to the source slices: each takes the labels of the nearest regridded slice, mostly within 0.12
mm (`core.regrid.even_positions`).

References:
    DICOM PS3.3 A.51 (Segmentation), C.8.20.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from monai_ich.core.geometry import FloatArray
from monai_ich.core.heat_map import HeatMap
from monai_ich.core.labels import label_of
from monai_ich.core.provenance import MAKER
from monai_ich.core.regrid import is_even
from monai_ich.core.volume import LabelMap
from monai_ich.dicom.series import SourceSeries, places_of_slices
from monai_ich.pacs import codes
from monai_ich.pacs.origin import Origin, coded, usable_source


def make_dicom_seg(
    maps: Sequence[LabelMap],
    origin: Origin,
    *,
    what: str,
    series_number: int,
    encoding: Literal["BINARY", "LABELMAP"] = "BINARY",
) -> hd.seg.Segmentation:
    """Build a segmentation; every label of each map's set is a segment, an absent one a segment
    without frames.

    Args:
        maps: on the CT's grid; segments are numbered through. Several may overlap where `encoding`
            is BINARY.
        origin: from `read_origin`.
        what: in the series description, for example ``"hemorrhage"``.
        series_number: 900 or more, behind the scanner's.
        encoding: LABELMAP (DICOM 2024c) is smaller, and few archives know it.

    Returns:
        a data set for `Origin.write`; where all is empty, it holds one empty frame for each
        segment, as DICOM forbids none.

    Raises:
        GeometryError: ``GRID_MISMATCH`` where a map is on another grid.
        SeriesError: ``BAD_SOURCE``.
    """
    frames = [on_source_slices(labels, origin.source) for labels in maps]
    masks = [
        frame == int(v) for labels, frame in zip(maps, frames, strict=True) for v in labels.labels
    ]
    # segments last in the array, first in memory: highdicom adds them up
    pixels = np.moveaxis(np.stack(masks), 0, -1) if encoding == "BINARY" else frames[0]
    images = origin.images
    if origin.source.frame_numbers:
        pixels = on_all_frames(pixels, origin)
    elif not pixels.any():
        middle = len(images) // 2
        images, pixels = images[middle : middle + 1], pixels[middle : middle + 1]
    with usable_source():
        made = hd.seg.Segmentation(
            source_images=list(images),
            pixel_array=pixels,
            segmentation_type=encoding,
            segment_descriptions=_descriptions(maps, origin),
            content_label="HEMORRHAGE" if what == "hemorrhage" else "ANATOMY",
            content_description=f"{what}, for research only",
            omit_empty_frames=bool(pixels.any()),
            **origin.arguments(f"{what} segmentation", series_number),
        )
    say_spacing(made, np.array(origin.source.positions_mm))
    return made


def say_spacing(made: Dataset, positions_mm: FloatArray) -> None:
    """How far slices lie apart, from their positions: frames are missing, and source headers say it
    wrongly or not.
    """
    for group in (*made.SharedFunctionalGroupsSequence, *made.PerFrameFunctionalGroupsSequence):
        for measures in group.get("PixelMeasuresSequence", ()):
            measures.pop("SpacingBetweenSlices", None)
            if is_even(positions_mm):
                step_mm = (positions_mm[-1] - positions_mm[0]) / (len(positions_mm) - 1)
                measures.SpacingBetweenSlices = f"{step_mm:.9g}"


def on_all_frames(pixels: NDArray[Any], origin: Origin) -> NDArray[Any]:
    """Slices as frames of a multi-frame source, zero in those that the series leaves out; of other
    sources as they are.
    """
    if not origin.source.frame_numbers:
        return pixels
    whole = np.zeros((int(origin.images[0].NumberOfFrames), *pixels.shape[1:]), pixels.dtype)
    whole[np.array(origin.source.frame_numbers) - 1] = pixels
    return whole


def on_source_slices(labels: LabelMap | HeatMap, source: SourceSeries) -> NDArray[np.uint8]:
    """What lies on the CT's grid as ``(slices, rows, columns)`` of the source images.

    Raises:
        GeometryError: ``GRID_MISMATCH`` where the grid does not hold every source slice.
    """
    nearest = np.rint(places_of_slices(labels.geometry, source)).astype(np.int64)
    return np.ascontiguousarray(labels.voxels[:, :, nearest].transpose(2, 1, 0))


def _descriptions(maps: Sequence[LabelMap], origin: Origin) -> list[hd.seg.SegmentDescription]:
    algorithm = hd.AlgorithmIdentificationSequence(
        name=MAKER if origin.by_network else "Mask given to MONAI-ICH",
        family=coded(codes.ALGORITHM_FAMILY),
        version=origin.version,
        parameters={
            f"weights {name}": sha256 for name, sha256 in sorted(origin.provenance.weights.items())
        }
        or None,
    )
    values = [labels.labels(value) for labels in maps for value in labels.labels]
    return [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=label.name,
            segmented_property_category=coded(label.category),
            segmented_property_type=coded(label.type),
            algorithm_type="AUTOMATIC" if origin.by_network else "SEMIAUTOMATIC",
            algorithm_identification=algorithm,
            tracking_uid=origin.uid("segment", value.name),
            tracking_id=value.name,
            anatomic_regions=[coded(label.region)] if label.region else None,
            display_color=hd.color.CIELabColor.from_rgb(*label.color),
        )
        for number, value in enumerate(values, start=1)
        for label in [label_of(value)]
    ]
