"""Find CT images in a folder by content and part them into groups that can each be one volume."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monai_ich.core.geometry import FloatArray
from monai_ich.dicom.instance import CT_CLASSES, DamagedFile, Instance, read_instances
from monai_ich.io.quiet import quiet

_ORIENTATION = 1e-3
_SPACING = 1e-3
SAME_PLACE_MM = 0.01
_MIN_PART = 3


@dataclass(frozen=True)
class Found:
    """What lies below a root.

    Args:
        instances: DICOM images, one for each frame of multi-frame objects.
        damaged: series UID of each CT image whose header cannot be read to its end; empty text
            where that is lost too.
        unreadable: number of files that begin like DICOM and are beyond that unreadable.
        others: number of files that are no DICOM image.
        links: number of symbolic links, none of which is followed.
    """

    instances: tuple[Instance, ...]
    damaged: tuple[str, ...] = ()
    unreadable: int = 0
    others: int = 0
    links: int = 0


@dataclass(frozen=True)
class Group:
    """Images of one series on one grid.

    Args:
        instances: in no order.
        companions: images of the same series that do not fit the grid, localizers and other
            modalities aside.
        parted_by: code of what sets the companions apart; empty where there are none.
        damaged: number of CT images that cannot be read and belong, or may belong, to this series.
        series_total: images of the whole series.
    """

    instances: tuple[Instance, ...]
    companions: tuple[Instance, ...] = ()
    parted_by: str = ""
    damaged: int = 0
    series_total: int = 0


def find_instances(root: Path) -> Found:
    """Every DICOM image at or below `root`. Links are not followed: nothing outside is ever opened.

    One unreadable file never stops the search; it is counted.
    """
    instances: list[Instance] = []
    damaged: list[str] = []
    unreadable = others = links = 0
    with quiet("pydicom"):
        for path in _files(root):
            if path != root and path.is_symlink():
                links += 1
                continue
            try:
                images = read_instances(path)
            except DamagedFile as error:
                damaged += [error.series_uid] if error.sop_class in CT_CLASSES else []
                unreadable += not error.sop_class
                continue
            instances += images
            others += not images
    return Found(tuple(instances), tuple(damaged), unreadable, others, links)


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, folders, names in os.walk(root, followlinks=False):
        folders.sort()
        for name in sorted((*names, *folders)):
            path = Path(folder) / name
            if path.is_symlink() or (path.is_file() and name.upper() != "DICOMDIR"):
                yield path


def part_series(found: Found) -> list[Group]:
    """Group by study and series, then part by what cannot be one volume. Slice thickness never
    parts a series.
    """
    series: dict[tuple[str, ...], list[Instance]] = defaultdict(list)
    for i in found.instances:
        scout = "LOCALIZER" in i.image_type
        series[
            (i.study_uid, i.series_uid, i.sop_class, i.modality, "scout" if scout else "")
        ].append(i)
    groups = []
    for (_, series_uid, *_), images in series.items():
        parts = _on_one_grid(images)
        damaged = found.damaged.count(series_uid) + found.damaged.count("")
        total = sum(1 for i in found.instances if i.series_uid == series_uid)
        for part in parts:
            rest = tuple(i for other in parts if other is not part for i in other)
            parted_by = difference(part[0], rest[0]) if rest else ""
            for piece in _part_repeats(part):
                groups.append(Group(tuple(piece), rest, parted_by, damaged, total))
    return groups


def _on_one_grid(images: list[Instance]) -> list[list[Instance]]:
    """Parts whose images differ from their first by less than the tolerances (rounding would part
    at its edges).
    """
    parts: list[list[Instance]] = []
    for image in images:
        home = next((part for part in parts if not difference(part[0], image)), None)
        if home is None:
            parts.append([image])
        else:
            home.append(image)
    return parts


def difference(one: Instance, other: Instance) -> str:
    """Code of what keeps two images off one grid; empty where nothing does."""
    if (one.rows, one.columns) != (other.rows, other.columns):
        return "MIXED_DIMENSIONS"
    if not (
        len(one.position) == len(other.position) and len(one.orientation) == len(other.orientation)
    ):
        return "MISSING_POSITION"
    if not _close(one.spacing, other.spacing, _SPACING * max((*one.spacing, 0.0))):
        return "MIXED_SPACING"
    if not _close(one.orientation, other.orientation, _ORIENTATION):
        return "MIXED_ORIENTATION"
    return "" if one.frame_of_reference == other.frame_of_reference else "MIXED_FRAME_OF_REFERENCE"


def _close(one: tuple[float, ...], other: tuple[float, ...], tolerance: float) -> bool:
    return len(one) == len(other) and not any(
        abs(a - b) > tolerance for a, b in zip(one, other, strict=True)
    )


def along_normal(instances: tuple[Instance, ...] | list[Instance], plane: Instance) -> FloatArray:
    """Position of each image along ``row x column`` of `plane`, mm; empty where an image has no
    position.
    """
    if len(plane.orientation) != 6 or any(len(i.position) != 3 for i in instances):
        return np.empty(0)
    normal = np.cross(plane.orientation[:3], plane.orientation[3:])
    return np.asarray(np.array([i.position for i in instances]).reshape(-1, 3) @ normal, np.float64)


def _part_acquisitions(images: list[Instance]) -> list[list[Instance]]:
    """Part two passes over one region: between them the patient may have moved, so they are no one
    volume.

    Acquisitions that follow each other (thin slices at the base, thick ones above), and scanners
    that count each rotation, stay together: only parts that reach over each other by more than two
    of their slices are passes.
    """
    parts: dict[str, list[Instance]] = defaultdict(list)
    for image in images:
        parts[image.acquisition].append(image)
    if len(parts) < 2 or any(len(part) < _MIN_PART for part in parts.values()):
        return [images]
    ranges = []
    for part in parts.values():
        along = np.sort(along_normal(part, images[0]))
        if not along.size:
            return [images]
        ranges.append((along[0], along[-1], float(np.median(np.diff(along)))))
    for n, (low, high, step) in enumerate(ranges):
        for other_low, other_high, other_step in ranges[n + 1 :]:
            if min(high, other_high) - max(low, other_low) > 2.0 * max(step, other_step):
                return list(parts.values())
    return [images]


def _repeats(instances: list[Instance]) -> bool:
    along = np.sort(along_normal(instances, instances[0]))
    return bool((np.diff(along) <= SAME_PLACE_MM).any())


def _part_repeats(images: list[Instance]) -> list[list[Instance]]:
    """Part images that share positions by kernel, acquisition or time, whichever leaves each place
    taken once.

    Without a key that does so the images stay together: true copies are dropped later, by their
    pixels.
    """
    acquisitions = _part_acquisitions(images)
    if len(acquisitions) > 1:
        return acquisitions
    if not _repeats(list({(i.sop_uid, i.frame): i for i in images}.values())):
        return [images]
    for key in ("kernel", "acquisition", "time"):
        parts: dict[str, list[Instance]] = defaultdict(list)
        for image in images:
            parts[getattr(image, key)].append(image)
        if len(parts) > 1 and all(len(p) >= _MIN_PART and not _repeats(p) for p in parts.values()):
            return list(parts.values())
    return [images]
