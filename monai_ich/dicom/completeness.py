"""Whether all slices of a series are there: what is missing makes every volume too small, unseen.

Strict mode refuses; lenient mode keeps the finding as a warning with the same code.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from monai_ich.core.errors import SeriesError
from monai_ich.core.geometry import FloatArray
from monai_ich.core.provenance import Notice
from monai_ich.dicom.discovery import Group, along_normal
from monai_ich.dicom.geometry import count_missing
from monai_ich.dicom.instance import Instance

Mode: TypeAlias = Literal["strict", "lenient"]
_FILL_MM = 6.0
_NEAR_PARALLEL = 0.7
_LEAST_STEP_MM = 0.05  # what is stated below that is no distance of slices


def require_complete(group: Group, *, mode: Mode) -> list[Notice]:
    """Check for images of the series that were left out or lost.

    Raises:
        SeriesError: strict: ``TRUNCATED_FILE`` for damaged files of the series, ``MIXED_*`` or
            ``MISSING_POSITION`` where images on another grid reach beyond the chosen ones,
            ``MISSING_SLICES`` for a loss at an end.
    """
    found = []
    if group.damaged:
        found.append(
            Notice(
                "TRUNCATED_FILE",
                f"{group.damaged} CT images of or beside the series cannot be read: get them "
                "again.",
            )
        )
    beyond = _beyond(group)
    if beyond:
        text = (
            f"{beyond} images of the series lie beyond the chosen ones, on another grid, and "
            "would be left out."
        )
        found.append(Notice(group.parted_by, text))
    between = _lost_between(group)
    if between:
        text = (
            f"{between} of {between + 1} slices are missing everywhere: the headers contradict "
            "the gaps between images."
        )
        found.append(Notice("MISSING_SLICES", text))
    lost = 0 if between else _lost_at_an_end(group)
    if lost:
        text = (
            f"The header announces {lost} more images than the {len(group.instances)} found: "
            "get the whole series."
        )
        found.append(Notice("MISSING_SLICES", text))
    if found and mode == "strict":
        raise SeriesError(found[0].code, f"{found[0].message[:-1]}, or pass --lenient.")
    return found


def _beyond(group: Group) -> int:
    """Companions, near parallel to the chosen images, past their first or last slice; or without a
    position.
    """
    plane = group.instances[0]
    chosen = np.sort(along_normal(group.instances, plane))
    margin = 0.5 * float(np.median(np.diff(chosen)))
    normal = np.cross(plane.orientation[:3], plane.orientation[3:])
    count = 0
    for image in group.companions:
        if len(image.position) != 3 or len(image.orientation) != 6:
            count += 1
        elif (
            abs(float(np.cross(image.orientation[:3], image.orientation[3:]) @ normal))
            > _NEAR_PARALLEL
        ):
            height = float(along_normal([image], plane)[0])
            count += not chosen[0] - margin <= height <= chosen[-1] + margin
    return count


def _lost_at_an_end(group: Group) -> int:
    """Images announced but not found, where image numbers run evenly with position, so that no gap
    gives them away.

    Counts that are half as large again, or larger, cover other series of the acquisition too and
    say nothing.
    """
    along = along_normal(group.instances, group.instances[0])
    numbers = [
        i.number
        for _, i in sorted(
            zip(along.tolist(), group.instances, strict=True), key=lambda pair: pair[0]
        )
    ]
    announced = max((i.announced or 0 for i in group.instances), default=0)
    known = [n for n in numbers if n is not None]
    if (
        len(known) < len(numbers)
        or {abs(s) for s in np.diff(known).tolist()} != {1}
        or max(known) > announced
    ):
        return 0
    lost = announced - group.series_total
    return lost if 0 < lost < len(numbers) / 2 else 0


def _lost_between(group: Group) -> int:
    """How many slices are missing in every gap of an even series; 0 where at most one sign says so.

    Signs are image numbers that skip as many each time, a stated distance of slices, a slice
    thickness and an announced number of images that all go with the same smaller gap. One alone may
    be a habit of the scanner.
    """
    along = along_normal(group.instances, group.instances[0])
    order = np.argsort(along)
    gaps = np.diff(along[order])
    if not gaps.size or gaps.min() <= 0.01 or np.ptp(gaps) > 0.02 * gaps.max():
        return 0
    gap, images = float(np.median(gaps)), [group.instances[n] for n in order]
    times = []
    numbers = [i.number for i in images if i.number is not None]
    if len(numbers) == len(images):
        steps = set(np.abs(np.diff(numbers)).tolist())
        times += [steps.pop()] if len(steps) == 1 else []
    stated = [
        mm
        for mm in (images[0].between_mm, images[0].thickness_mm)
        if mm and abs(mm) > _LEAST_STEP_MM
    ]
    times += [round(gap / abs(mm)) for mm in stated if abs(gap / mm - round(gap / mm)) < 0.05]
    announced = max((i.announced or 0 for i in images), default=0)
    times += [round(announced / len(images))] if announced > len(images) else []
    agreed = max(set(times), key=times.count, default=1)
    return agreed - 1 if agreed > 1 and times.count(agreed) > 1 else 0


def require_no_gap(instances: list[Instance], along: FloatArray, *, mode: Mode) -> list[Notice]:
    """Check for slices missing inside the series; lenient mode lets a single one of at most 6 mm be
    filled.

    Raises:
        SeriesError: ``MISSING_SLICES``.
    """
    missing = count_missing(instances, along)
    total = sum(missing)
    if not total:
        return []
    if mode == "lenient" and total == 1:
        before = missing.index(1)
        if np.diff(along)[before] / 2 <= _FILL_MM:
            text = (
                f"Slice {before + 2} of {len(along) + 1} was missing and is interpolated from "
                "its neighbors."
            )
            return [Notice("SLICES_INTERPOLATED", text)]
    way_out = ", or pass --lenient to fill a single one." if mode == "strict" else "."
    raise SeriesError(
        "MISSING_SLICES",
        f"{total} {'slice is' if total == 1 else 'slices are'} missing inside the series "
        f"({len(along)} found): get the "
        f"whole series{way_out}",
    )
