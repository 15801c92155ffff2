"""The cases of DICOM import: each a way to write the phantom, and what reading it must give.

The tests read each case with ours; ``benchmarks/import_cases.py`` reads the same folders with other
tools too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests import dicom_writers as write
from tests.dicom_syntax import LOSSLESS, LOSSY
from tests.phantom import grid, series


@dataclass(frozen=True)
class Case:
    """One way in which a head CT may come.

    Args:
        name: as in the README's table.
        write: makes the DICOM files in a folder.
        refused: code of the refusal that is due; empty where the series must be read right.
        warned: codes of the warnings that are due; no others may come.
        inexact: values change: they are interpolated between slices, or were compressed with loss.
        volume_error: largest relative error of a ball's volume; five times as large for the ball
            below 2 mL.
        how: how to call `read_ct`.
    """

    name: str
    write: Callable[[Path], object]
    refused: str = ""
    warned: tuple[str, ...] = ()
    inexact: bool = False
    volume_error: float = 0.01
    how: dict[str, Any] = field(default_factory=dict)


def _tilted(tilt_deg: float) -> Case:
    return Case(
        f"tilt {tilt_deg:+g} degrees",
        lambda folder: series(folder, grid(tilt_deg=tilt_deg)),
        warned=("GANTRY_TILT",),
    )


def _missing(*numbers: int) -> Callable[[Path], object]:
    return lambda folder: write.drop(series(folder), *numbers)


LENIENT = {"mode": "lenient"}
CASES = [
    Case("ascending", series),
    Case("descending", write.descending),
    Case("InstanceNumber scrambled", write.scrambled),
    *(_tilted(tilt_deg) for tilt_deg in (-25, -18.5, 12, 25)),
    Case("1 slice missing", _missing(16), refused="MISSING_SLICES"),
    Case(
        "1 missing, lenient",
        _missing(
            16
        ),  # through the large ball: the mean of its neighbors is pi h^3 = 0.4 of 27 mL smaller
        warned=("SLICES_INTERPOLATED",),
        inexact=True,
        volume_error=0.02,
        how=LENIENT,
    ),
    Case("3 slices missing", _missing(9, 10, 20), refused="MISSING_SLICES", how=LENIENT),
    Case("last 2 missing, announced", write.lost_end, refused="MISSING_SLICES"),
    Case("every 2nd slice lost, headers say so", write.evenly_lost, refused="MISSING_SLICES"),
    Case("one slice blank", partial(write.one_slice, change=write.blank), refused="SLICE_LEVEL"),
    Case(
        "one slice of another level",
        partial(write.one_slice, change=write.of_another_level),
        refused="SLICE_LEVEL",
    ),
    Case("one slice a copy of its neighbor", write.as_its_neighbor, refused="SLICE_LEVEL"),
    Case("two passes, two acquisitions", write.second_pass, refused="AMBIGUOUS_SERIES"),
    Case("two passes, one acquisition", write.two_passes, refused="INTERLEAVED"),
    Case("second pass over a part", partial(write.second_pass, count=12)),
    Case("2.5 + 5 mm", write.mixed_spacing, warned=("VARIABLE_SPACING",), inexact=True),
    Case(
        "2.5 + 5 mm, tilt +18 degrees",
        partial(write.mixed_spacing, tilt_deg=18),
        warned=("GANTRY_TILT", "VARIABLE_SPACING"),
        inexact=True,
    ),
    Case("2.5 + 5 + 7 mm", write.three_spacings, warned=("VARIABLE_SPACING",), inexact=True),
    Case(
        "overlapping blocks", write.overlapping_blocks, warned=("VARIABLE_SPACING",), inexact=True
    ),
    Case(
        "overlapping slices",
        lambda folder: series(folder, grid(slice_mm=2.5, count=64), SliceThickness="5"),
    ),
    Case("two images at one position", write.one_position_twice, refused="DUPLICATE_POSITION"),
    Case("two images with one UID", write.one_uid_twice, refused="DUPLICATE_UID"),
    Case("every slice twice", write.every_slice_twice, warned=("DUPLICATE_POSITION",)),
    Case("two series in a folder", write.two_series),
    Case("two kernels in one series", write.two_kernels),
    Case("scout in the series", write.scout),
    Case("thin noisy series beside a soft one", partial(write.beside_another, change=write.noise)),
    Case(
        "thin enhanced series beside a native one",
        partial(write.beside_another, change=write.vessels),
    ),
    Case(
        "thin MIP beside the series",
        partial(
            write.beside_another,
            change=write.vessels,
            ImageType=["DERIVED", "SECONDARY", "AXIAL", "MIP"],
        ),
    ),
    Case(
        "virtual energy of 40 keV",
        lambda folder: series(
            folder,
            SeriesDescription="Mono+ 40 keV",
            ImageType=["DERIVED", "PRIMARY", "AXIAL", "VMI"],
        ),
        refused="NOT_HU",
    ),
    Case(
        "pixel spacing in cm",
        lambda folder: series(folder, PixelSpacing=[0.32, 0.32]),
        refused="INSUFFICIENT_COVERAGE",
    ),
    Case("text and decimal commas in numbers", write.text_in_numbers),
    Case("head turned 20, 10, 30 degrees", partial(write.rotated, degrees=(20, 10, 30)), warned=()),
    Case("decubitus right", partial(write.rotated, degrees=(0, 0, 90), PatientPosition="HFDR")),
    Case("decubitus left", partial(write.rotated, degrees=(0, 0, -90), PatientPosition="HFDL")),
    Case("prone", partial(write.flipped, axes=(0, 1), position="HFP")),
    Case("feet first", partial(write.flipped, axes=(0,), position="FFS")),
    Case("pixels 2.56 x 3.2 mm", write.anisotropic),
    Case("rescale of each slice its own", write.rescaled),
    Case("unsigned padding 63536", write.padded),
    Case("enhanced, rescale of each frame", partial(write.enhanced, tilt_deg=0)),
    Case(
        "enhanced, tilt +18 degrees", partial(write.enhanced, tilt_deg=18), warned=("GANTRY_TILT",)
    ),
    *(Case(name, partial(write.in_syntax, syntax=syntax)) for name, syntax in LOSSLESS.items()),
    *(
        Case(
            name,
            partial(write.in_syntax, syntax=syntax),
            warned=("LOSSY",),
            inexact=True,
            volume_error=0.05,
        )
        for name, syntax in LOSSY.items()
    ),
    Case("truncated file", write.truncated, refused="TRUNCATED_FILE"),
    Case("-0.0 and 1e-7 noise in orientation", write.noisy_orientation),
]
