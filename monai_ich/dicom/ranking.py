"""Judge the groups of images that were found, each with reasons in words, and choose the head
CT.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monai_ich.core.errors import SeriesError
from monai_ich.dicom.appearance import Appearance
from monai_ich.dicom.discovery import Found, Group, along_normal, part_series
from monai_ich.dicom.instance import CT_CLASSES, Instance
from monai_ich.dicom.words import (
    is_like_hu,
    is_sharp,
    known_modality,
    known_unit,
    monoenergetic_kev,
    names_contrast,
    names_head,
)

_MIN_SLICES = 3
MIN_COVERAGE_MM = 50.0  # a slab of brain can be measured; less is no scan of a head
USUAL_COVERAGE_MM = 80.0
_TIE = 0.02
_NOT_AN_IMAGE = {"SCREEN SAVE", "SCREENSAVE", "DOSE", "DOSE_INFO", "SCREEN", "PROT"}
_MAPS = {
    "PERFUSION",
    "CBF",
    "CBV",
    "RCBF",
    "RCBV",
    "MTT",
    "TTP",
    "TMAX",
    "PERMEABILITY",
    "Z_EFF",
    "IODINE",
}
_HU_TYPES = ("", "HU", "US", "HU_MOD")


@dataclass(frozen=True)
class Candidate:
    """One series, or one part of a series that holds several geometries.

    Args:
        group: its images and what else the series holds.
        refused: code why it cannot be taken; None where it can.
        reasons: what speaks for and against it, in words.
        score: higher is better.
    """

    group: Group
    refused: str | None
    reasons: tuple[str, ...]
    score: float

    @property
    def instances(self) -> tuple[Instance, ...]:
        """Its images, in no order."""
        return self.group.instances

    @property
    def series_uid(self) -> str:
        """SeriesInstanceUID."""
        return self.group.instances[0].series_uid

    def describe(self) -> str:
        """One line without patient data."""
        state = f"refused ({self.refused})" if self.refused else f"score {self.score:.1f}"
        return f"{len(self.instances)} images, {state}: {'; '.join(self.reasons)}"


def rank_series(found: Found) -> list[Candidate]:
    """Every group of images with a verdict and reasons, best first, refused ones last."""
    return _in_order(_judge(group) for group in part_series(found))


def rank_again(candidates: Sequence[Candidate], seen: Mapping[int, Appearance]) -> list[Candidate]:
    """The same with what images of some of them show, by their place in the list."""
    return _in_order(_judge(c.group, seen[n]) if n in seen else c for n, c in enumerate(candidates))


def _in_order(candidates: Iterable[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda c: (c.refused is not None, -c.score, c.series_uid))


def _judge(group: Group, seen: Appearance | None = None) -> Candidate:
    first = group.instances[0]
    refused, why = _refusal(group)
    points = [(0.0, why)] if why else []
    if names_head(f"{first.text} {first.body_part}"):
        points.append((4.0, "head"))
    if first.image_type[:2] == ("ORIGINAL", "PRIMARY"):
        points.append((3.0, "original"))
    if "AXIAL" in first.image_type:
        points.append((1.0, "axial"))
    if (
        len(first.orientation) == 6
        and abs(np.cross(first.orientation[:3], first.orientation[3:])[2]) < 0.7
    ):
        points.append((-3.0, "planes far from axial"))
    if any(i.contrast for i in group.instances) or names_contrast(first.text):
        points.append((-3.0, "contrast"))
    elif seen is not None and seen.is_enhanced:
        points.append((-3.0, "vessels as dense as after contrast"))
    if "VMI" in first.image_type:
        points.append((-1.0, "virtual monoenergetic"))
    if is_sharp(first.kernel, first.text):
        points.append((-2.0, "bone kernel"))
    elif seen is not None and seen.is_sharp:
        points.append((-2.0, "images as sharp or noisy as of a bone kernel"))
    if seen is not None and np.isfinite(seen.noise_hu):
        points.append((0.0, f"noise {seen.noise_hu:.0f} HU"))
    if first.thickness_mm:
        points.append((-0.1 * min(first.thickness_mm, 10.0), f"{first.thickness_mm:g} mm slices"))
    coverage = coverage_mm(group.instances)
    if coverage:
        points.append((0.005 * min(coverage, 180.0), f"covers {coverage:.0f} mm"))
    if coverage < USUAL_COVERAGE_MM:
        points.append((-2.0, "a part of the head"))
    return Candidate(group, refused, tuple(word for _, word in points), sum(p for p, _ in points))


def _refusal(group: Group) -> tuple[str | None, str]:
    first = group.instances[0]
    if first.modality != "CT":
        return "NO_CT_SERIES", f"modality {known_modality(first.modality)}, not CT"
    if "LOCALIZER" in first.image_type:
        return "LOCALIZER_ONLY", "a localizer"
    if (
        first.sop_class not in CT_CLASSES
        or first.samples != 1
        or _NOT_AN_IMAGE & set(first.image_type)
    ):
        return "NO_CT_SERIES", "a secondary capture, dose screen or color image, not CT images"
    named = sorted(_MAPS & set(first.image_type))
    if named or first.rescale_type not in _HU_TYPES:
        return (
            "NOT_HU",
            f"holds {(named or [known_unit(first.rescale_type)])[0]}, not Hounsfield units",
        )
    kev = monoenergetic_kev(first.text)
    if kev is not None and not is_like_hu(kev):
        return "NOT_HU", f"virtual monoenergetic at {kev} keV, where tissue has other densities"
    if any(
        len(i.position) != 3 or len(i.orientation) != 6 or len(i.spacing) != 2
        for i in group.instances
    ):
        return "MISSING_POSITION", "an image has no position, orientation or pixel spacing"
    geometry = np.array([(*i.position, *i.orientation, *i.spacing) for i in group.instances])
    if not np.isfinite(geometry).all() or geometry[:, -2:].min() <= 0:
        return "NON_FINITE_GEOMETRY", "a position, orientation or spacing is no usable number"
    return _small(group)


def _small(group: Group) -> tuple[str | None, str]:
    """What is too small for a head; a small part of a series that would be large enough says what
    parted it.
    """
    coverage = coverage_mm(group.instances)
    count = len(group.instances)
    whole = coverage_mm((*group.instances, *group.companions))
    if group.parted_by and coverage < USUAL_COVERAGE_MM <= whole:
        return group.parted_by, f"{count} images of a series whose other images are on another grid"
    if count < _MIN_SLICES:
        return "TOO_FEW_SLICES", f"{count} images, at least {_MIN_SLICES} are needed"
    if coverage < 0.01:
        return "DUPLICATE_POSITION", "all images lie at one position"
    if coverage < MIN_COVERAGE_MM:
        return (
            "INSUFFICIENT_COVERAGE",
            f"covers {coverage:.0f} mm, a head needs {MIN_COVERAGE_MM:.0f}",
        )
    return None, ""


def coverage_mm(instances: tuple[Instance, ...]) -> float:
    """Distance from the first to the last plane along the normal of the first; 0.0 where a position
    is missing.
    """
    along = along_normal(instances, instances[0])
    return float(np.ptp(along)) if along.size else 0.0


def choose_series(
    candidates: list[Candidate], found: Found, *, series_uid: str | None
) -> Candidate:
    """The series to take: the one asked for, else the best. Messages call series by their number, 1
    is the best.

    Raises:
        SeriesError: ``NO_DICOM``, or ``TRUNCATED_FILE`` where all that looks like DICOM is damaged;
            the code of the best refused series; ``AMBIGUOUS_SERIES`` for a tie, and for usable
            series of two examinations, between which no score may choose.
    """
    if not candidates:
        broken = len(found.damaged) + found.unreadable
        raise SeriesError(
            "TRUNCATED_FILE" if broken else "NO_DICOM",
            f"No DICOM image was found: {broken} files are damaged, {found.others} are something "
            f"else, {found.links} are links, which are not followed; give the folder that holds "
            "the study.",
        )
    listing = " | ".join(
        f"series {n}: {c.describe()}" for n, c in enumerate(candidates[:6], start=1)
    )
    if series_uid is not None:
        candidates = [c for c in candidates if c.series_uid == series_uid]
        if not candidates:
            raise SeriesError(
                "NO_CT_SERIES", f"The series asked for is not there; found: {listing}."
            )
    usable = [c for c in candidates if c.refused is None]
    if not usable:
        codes = [
            c.refused
            for c in candidates
            if c.refused not in ("NO_CT_SERIES", "LOCALIZER_ONLY", None)
        ]
        scouts = [c.refused for c in candidates if c.refused == "LOCALIZER_ONLY"]
        raise SeriesError(
            (codes + scouts + ["NO_CT_SERIES"])[0] or "",
            f"No head CT can be taken; found: {listing}.",
        )
    if len({c.instances[0].study_uid for c in usable}) > 1:
        raise SeriesError(
            "AMBIGUOUS_SERIES",
            "The input holds CT of two examinations: choose with --series NUMBER; found: "
            f"{listing}.",
        )
    if len(usable) > 1 and usable[0].score - usable[1].score < _TIE:
        raise SeriesError(
            "AMBIGUOUS_SERIES",
            f"Two series are equally good: choose with --series NUMBER; found: {listing}.",
        )
    return usable[0]
