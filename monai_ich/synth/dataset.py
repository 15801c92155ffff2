"""Write synthetic scans to disk: one folder a case, and the list that the bundles train from."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from monai_ich.core.labels import Subtype
from monai_ich.io.output import write_whole
from monai_ich.synth.case import HeadCase
from monai_ich.synth.draw import draw_case, with_hemorrhages
from monai_ich.synth.parallel import map_jobs

VALIDATION_SHARE = 0.1
_MISSED, _ROUNDS = 0.02, 4  # share of a volume asked for; how often a head is made for its sake
_LOG = logging.getLogger(__name__)


def case_folder(seed: int) -> str:
    """Folder name of a synthetic case."""
    return f"case_{seed:06d}"


def design_case(
    seed: int,
    *,
    hemorrhages: dict[Subtype, float] | None = None,
    shift_mm: float | None = None,
    pixels: int | None = None,
    **scanner: float | None,
) -> HeadCase:
    """A random case, with what is given instead of what was drawn.

    Args:
        hemorrhages: subtype to mL; an empty dict means a head without blood.
        shift_mm: midline shift, positive to the patient's right.
        pixels: rows and columns; the field of view stays at least 230 mm.
        scanner: fields of `ScannerCase`, for example ``tilt_deg=18, thickness_mm=5``.
    """
    case = draw_case(seed)
    if hemorrhages is not None:
        sides = {-1, 1} if shift_mm is None else {-1 if shift_mm > 0 else 1}
        case = with_hemorrhages(case, hemorrhages, side=sides.pop() if len(sides) == 1 else None)
    if shift_mm is not None:
        case = replace(case, shift_mm=shift_mm)
    given: dict[str, Any] = {name: value for name, value in scanner.items() if value is not None}
    if "thickness_mm" in given:
        given.setdefault("slice_mm", given["thickness_mm"])
    if pixels is not None:
        given["pixels"], given["pixel_mm"] = (
            pixels,
            max(230.0, case.scanner.pixels * case.scanner.pixel_mm) / pixels,
        )
    return replace(case, scanner=replace(case.scanner, **given))


def write_case(
    case: HeadCase,
    folder: Path,
    *,
    dicom: bool = False,
    device: str = "cpu",
    thickness: bool = True,
) -> Path:
    """Make one scan and write ``ct.nii.gz`` (or ``dicom/``), ``ich.nii.gz``, ``edema.nii.gz``,
    ``anatomy.nii.gz``, ``truth.json``."""
    from monai_ich.dicom.write import write_ct_series
    from monai_ich.io.nifti import write_nifti
    from monai_ich.synth.generate import synthesize

    scan = synthesize(case, device, thickness=thickness)
    folder.mkdir(parents=True, exist_ok=True)
    if dicom:
        slab_mm, tilt = case.scanner.thickness_mm, case.scanner.tilt_deg
        write_ct_series(
            scan.ct,
            folder / "dicom",
            seed=case.seed,
            slice_thickness_mm=slab_mm,
            gantry_tilt_deg=tilt,
        )
    else:
        write_nifti(folder / "ct.nii.gz", scan.ct)
    write_nifti(folder / "ich.nii.gz", scan.labels)
    write_nifti(folder / "edema.nii.gz", scan.edema)
    write_nifti(folder / "anatomy.nii.gz", scan.anatomy)
    record = {
        "truth": asdict(scan.truth) | {"total_ml": scan.truth.total_ml},
        "case": case.as_dict(),
    }
    write_whole(
        folder / "truth.json", json.dumps(record, indent=1) + "\n"
    )  # last: a case with truth is complete
    return folder


def write_dataset(
    cases: Iterable[HeadCase],
    folder: Path,
    *,
    dicom: bool = False,
    workers: int | None = None,
    device: str = "cpu",
    thickness: bool = True,
    wanted: Mapping[Subtype, float] | None = None,
) -> Iterator[str]:
    """Write many cases side by side and ``dataset.json``; skips those that are there, yields names
    as they finish.

    A case that is there but cannot be read to its end is named in the log and made again.

    Args:
        cases: what to make.
        folder: for one folder a case.
        dicom: series instead of NIfTI, without ``dataset.json``.
        workers: processes; by default one a core.
        device: torch device.
        thickness: as for `synthesize`.
        wanted: subtype to the mL that is to be seen in each head. Where bone or other blood covers
            some, the head is made again with more, until 2 % are met or nothing helps: `missed_ml`
            says what is left.
    """
    cases = list(cases)
    missing = [c for c in cases if not _is_whole(folder / case_folder(c.seed))]
    jobs = [
        (c, folder / case_folder(c.seed), dicom, device, thickness, dict(wanted or {}))
        for c in missing
    ]
    yield from map_jobs(_write_job, jobs, workers)
    if not dicom:
        _write_list(folder, [case_folder(c.seed) for c in cases])


def _is_whole(folder: Path) -> bool:
    """Whether a case is there, and each of its images can be read to its end."""
    from isal import igzip, isal_zlib

    if not (folder / "truth.json").exists():
        return False
    try:
        json.loads((folder / "truth.json").read_text())
        for path in folder.glob("*.nii.gz"):
            with igzip.open(path, "rb") as stream:
                while stream.read(1 << 24):
                    pass
    except (OSError, EOFError, ValueError, isal_zlib.error):  # type: ignore[misc]  # a class, isal says an instance
        _LOG.warning("%s is damaged: it is made again", folder.name)
        return False
    return True


def _write_job(job: tuple[HeadCase, Path, bool, str, bool, dict[Subtype, float]]) -> str:
    case, folder, dicom, device, thickness, wanted = job
    for _ in range(_ROUNDS):
        write_case(case, folder, dicom=dicom, device=device, thickness=thickness)
        missed = missed_ml(folder, wanted)
        if not missed:
            break
        case = _with_more(case, {s: wanted[s] / max(ml, 0.1) for s, ml in missed.items()})
    return folder.name


def missed_ml(folder: Path, wanted: Mapping[Subtype, float]) -> dict[Subtype, float]:
    """Of the volumes asked for, those that a case does not hold within 2 %: what it holds, in
    mL.
    """
    made = json.loads((folder / "truth.json").read_text())["truth"]["volume_ml"]
    return {s: made[s.name] for s, ml in wanted.items() if abs(made[s.name] - ml) > _MISSED * ml}


def _with_more(case: HeadCase, factors: Mapping[Subtype, float]) -> HeadCase:
    """The same head, its bleeds of some subtypes larger or smaller; a clot on the skull that is to
    grow gets more room, too: it cannot be thicker than any.
    """
    bleeds = []
    for bleed in case.hemorrhages:
        factor = min(2.0, max(0.5, factors.get(bleed.subtype, 1.0)))
        room = math.sqrt(factor) if bleed.on_skull and factor > 1.0 else 1.0
        bleeds.append(
            replace(bleed, volume_ml=bleed.volume_ml * factor, extent_mm=bleed.extent_mm * room)
        )
    return replace(case, hemorrhages=tuple(bleeds))


def _write_list(folder: Path, names: list[str]) -> None:
    held_out = round(VALIDATION_SHARE * len(names)) or min(1, len(names) - 1)
    rows = [_row(folder, name) for name in names]
    listing = {
        "schema": "monai-ich/manifest/1",
        "name": "monai-ich synthetic heads",
        "description": "Synthetic head CT with exact truth; no patient data.",
        "label_mapping": {str(int(s)): s.name for s in Subtype},
        "training": rows[: len(rows) - held_out],
        "validation": rows[len(rows) - held_out :],
    }
    write_whole(folder / "dataset.json", json.dumps(listing, indent=1) + "\n")


def _row(folder: Path, name: str) -> dict[str, Any]:
    files = {"image": "ct", "label": "ich", "edema": "edema", "anatomy": "anatomy"}
    truth = json.loads((folder / name / "truth.json").read_text())["truth"]
    paths = {key: f"{name}/{stem}.nii.gz" for key, stem in files.items()}
    present = {s.name: int(truth["volume_ml"].get(s.name, 0.0) > 0.0) for s in Subtype}
    exam = present | {"any": int(any(present.values()))}
    return {"id": name, **paths, "exam_labels": exam, "midline_shift_mm": truth["midline_shift_mm"]}
