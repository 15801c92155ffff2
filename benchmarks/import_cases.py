"""The case table of import: every way in which a head CT may come, read by ours and by what a user
would take instead.

    python -m benchmarks.import_cases [--out benchmarks/import_cases.json]

The folders are those of ``tests/dicom_cases.py``. A volume is right where it correlates with the
analytic phantom at its own voxel positions (r > 0.999; 0.95 where values are interpolated or coded
with loss), holds every point of the brain, and gives each ball's volume (1 %; 5 % below 2 mL).
Other tools may resample tilted series, which ours need not; where a tool writes several volumes,
the best one counts.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from monai_ich.core.errors import IchError
from monai_ich.core.geometry import Geometry
from monai_ich.core.volume import CTVolume
from monai_ich.io.read import read_ct
from tests.dicom_cases import CASES, Case
from tests.dicom_syntax import LOSSLESS
from tests.phantom import agreement, ball_volumes_ml, true_volumes_ml

Read = Callable[[Path, Path], Iterator[CTVolume]]
RIGHT = "right"
BRAIN_MM = 60.0  # no case ends below this distance from the phantom's middle


def _volume(hu: NDArray[np.generic], affine: NDArray[np.generic]) -> CTVolume:
    hu = np.ascontiguousarray(np.asarray(hu, np.float32).squeeze())
    return CTVolume(hu, Geometry(hu.shape, np.asarray(affine, float)))  # type: ignore[arg-type]


def _dcm2niix(folder: Path, out: Path) -> Iterator[CTVolume]:
    command = [
        str(Path(sys.executable).parent / "dcm2niix"),
        "-z",
        "n",
        "-b",
        "n",
        "-o",
        str(out),
        str(folder),
    ]
    subprocess.run(command, check=False, capture_output=True)
    yield from _niftis(out)


def _dicom2nifti(folder: Path, out: Path) -> Iterator[CTVolume]:
    import dicom2nifti

    dicom2nifti.convert_directory(str(folder), str(out), compression=False, reorient=False)
    yield from _niftis(out)


def _niftis(folder: Path) -> Iterator[CTVolume]:
    for path in sorted(folder.glob("*.nii*")):
        image = nib.load(path)
        hu = image.get_fdata(dtype=np.float32)
        for part in np.split(hu, hu.shape[3], axis=3) if hu.ndim == 4 else [hu]:
            if min(part.shape[:3]) > 1:
                yield _volume(part, image.affine)


def _simpleitk(folder: Path, out: Path) -> Iterator[CTVolume]:
    import SimpleITK as sitk

    for uid in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder)):
        image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid))
        affine = np.eye(4)
        affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
        affine[:3, 3] = image.GetOrigin()
        yield _volume(
            sitk.GetArrayFromImage(image).transpose(2, 1, 0), np.diag([-1, -1, 1, 1]) @ affine
        )


def _monai(reader: str) -> Read:
    def read(folder: Path, out: Path) -> Iterator[CTVolume]:
        from monai.transforms import LoadImage

        image = LoadImage(reader=reader, image_only=True)(folder)
        yield _volume(image.numpy(), image.affine.numpy())

    return read


PEERS: dict[str, Read] = {
    "dcm2niix": _dcm2niix,
    "SimpleITK": _simpleitk,
    "dicom2nifti": _dicom2nifti,
    "MONAI ITKReader": _monai("ITKReader"),
    "MONAI PydicomReader": _monai("PydicomReader"),
}


def judge(case: Case, volume: CTVolume, *, least_r: float) -> tuple[float, str]:
    """Correlation, and `RIGHT` or what is wrong, the gravest first."""
    points = np.stack(
        np.meshgrid(*[np.linspace(-BRAIN_MM, BRAIN_MM, 25)] * 3, indexing="ij"), -1
    ).reshape(-1, 3)
    points = points[np.linalg.norm(points, axis=-1) < BRAIN_MM]
    ijk = volume.geometry.to_voxel(points)
    inside = float(((ijk > -0.51) & (ijk < np.array(volume.hu.shape) - 0.49)).all(-1).mean())
    r = float(np.nan_to_num(agreement(volume)))
    if r <= least_r:
        return r, f"r {r:.2f}"
    if inside < 1:
        return r, f"{1 - inside:.0%} of the brain lost"
    pairs = list(zip(ball_volumes_ml(volume), true_volumes_ml(), strict=True))
    worst = max((found / true - 1 for found, true in pairs), key=abs)
    if any(
        abs(found / true - 1) > case.volume_error * (1 if true > 2 else 5) for found, true in pairs
    ):
        return r, f"volume {worst:+.0%}"
    return r, RIGHT


def _ours(case: Case, folder: Path) -> str:
    try:
        return judge(
            case, read_ct(folder, **case.how).volume, least_r=0.95 if case.inexact else 0.999
        )[1]
    except IchError as error:
        return f"refused: {error.code}"


def _peer(case: Case, read: Read, folder: Path, out: Path) -> str:
    out.mkdir()
    least_r = 0.95 if case.inexact or "tilt" in case.name else 0.999
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            found = [judge(case, volume, least_r=least_r) for volume in read(folder, out)]
        except Exception as error:  # whatever a tool says is its answer
            return f"error: {type(error).__name__}"
    return max(found, key=lambda judged: (judged[1] == RIGHT, judged[0]))[1] if found else "nothing"


def _mark(case: Case, verdict: str) -> str:
    if verdict.startswith(("refused", "error", "nothing")):
        return "refused" if case.refused else "**not read**"
    if case.refused:
        return "**taken**"
    return RIGHT if verdict == RIGHT else f"**{verdict}**"


def _kind(case: Case) -> str:
    return "lossless syntaxes" if case.name in LOSSLESS else ""


def table(rows: list[tuple[Case, dict[str, str]]]) -> str:
    """Markdown; cases of a kind share a row that counts what is right."""
    tools = list(rows[0][1])
    lines = [f"| the series | {' | '.join(tools)} |", f"| --- |{' --- |' * len(tools)}"]
    for kind, group in groupby(rows, key=lambda row: _kind(row[0]) or row[0].name):
        members = list(group)
        marks = {
            tool: [_mark(case, verdicts[tool]) for case, verdicts in members] for tool in tools
        }
        name = kind if len(members) == 1 else f"{kind} ({len(members)} cases)"
        cells = []
        for tool in tools:
            wrong = [m for m in marks[tool] if m != RIGHT]
            if len(members) == 1 or not wrong:
                cells.append(marks[tool][0])
            else:
                cells.append(f"{len(members) - len(wrong)} right, {wrong[0]}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    rows = []
    for case in CASES:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "dicom"
            folder.mkdir()
            case.write(folder)
            verdicts = {"ours": _ours(case, folder)}
            for n, (tool, read) in enumerate(PEERS.items()):
                verdicts[tool] = _peer(case, read, folder, Path(scratch) / str(n))
        rows.append((case, verdicts))
        print(f"{case.name}: {verdicts}", file=sys.stderr)
    packages = ("dcm2niix", "SimpleITK", "dicom2nifti", "monai", "itk-io", "pydicom")
    record = {
        "versions": {name: version(name) for name in packages},
        "right_or_duly_refused": {
            tool: sum(_mark(case, verdicts[tool]) in (RIGHT, "refused") for case, verdicts in rows)
            for tool in rows[0][1]
        },
        "cases": {case.name: verdicts for case, verdicts in rows},
    }
    args.out.write_text(json.dumps(record, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
