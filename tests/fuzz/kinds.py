"""What is fuzzed: for each kind how a damaged input is made of a sound one, and which of our
readers meets it.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from monai_ich.cli.app import main
from monai_ich.core.errors import IchError
from monai_ich.core.labels import Subtype
from monai_ich.io.calibration import read_calibration
from monai_ich.io.read import read_labels
from monai_ich.study.inputs import StudyCase
from monai_ich.study.results import is_done, read_row
from tests.fuzz import mutators as damage
from tests.fuzz.mutators import Rng, pick

CODE = re.compile("[A-Z][A-Z_0-9]+")


class Unclean(AssertionError):
    """A refusal that is none: no code, more than one line, or something half-written."""


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Args:
        make: sound folder, folder of this input, and generator to a damaged input.
        read: meets it; raises `IchError` where it is refused.
    """

    make: Callable[[Path, Path, Rng], None]
    read: Callable[[Path], None]


def _command(*words: object) -> None:
    """A command of ours, whose last net is left out, so that a fault shows as what it is."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        status = main(["--traceback", "--json-errors", *map(str, words)])
    lines = [json.loads(line) for line in said.getvalue().splitlines() if line.startswith("{")]
    if status:
        if status not in (2, 3, 4) or not lines:
            raise Unclean(f"exit code {status}: {said.getvalue()[:500]}")
        raise IchError(lines[0]["code"], lines[0]["message"])


def _one_of(sound: Path, target: Path, rng: Rng, how: Callable[[bytes, Rng], bytes]) -> None:
    path = pick(rng, sorted(p for p in sound.iterdir() if p.is_file()))
    data = path.read_bytes()
    if path.name.endswith(".gz"):
        (target / path.name).write_bytes(damage.packed(data, rng, how))
    else:
        (target / path.name).write_bytes(how(data, rng))


def _series(sound: Path, target: Path, rng: Rng) -> None:
    study = pick(rng, sorted(sound.iterdir()))
    shutil.copytree(study, target / "study")
    paths = sorted((target / "study").iterdir())
    hit = paths if rng.random() < 0.1 else [pick(rng, paths)]
    for path in hit:
        path.write_bytes(damage.dicom_file(path.read_bytes(), rng))


def _files(how: Callable[[bytes, Rng], bytes]) -> Callable[[Path, Path, Rng], None]:
    return lambda sound, target, rng: _one_of(sound, target, rng, how)


def _with_others(
    name: str, how: Callable[[bytes, Rng], bytes]
) -> Callable[[Path, Path, Rng], None]:
    """A folder of which one file, of those that match, is damaged."""

    def make(sound: Path, target: Path, rng: Rng) -> None:
        shutil.copytree(sound, target, dirs_exist_ok=True)
        path = pick(rng, sorted(target.rglob(name)))
        path.write_bytes(how(path.read_bytes(), rng))

    return make


def _import(case: Path) -> None:
    _command("import", next(case.iterdir()), "-o", case.parent / "out" / "ct.nii")


def _labels(case: Path) -> None:
    read_labels(next(case.iterdir()), Subtype)


def _followup(case: Path) -> None:
    shutil.copytree(case, case.parent / "other", dirs_exist_ok=True)
    _command("followup", case, case.parent / "other", "-o", case.parent / "out")


def _study_state(case: Path) -> None:
    if is_done(case, "digest"):
        read_row(StudyCase("case_1", (case,)), case)


def _bundle(case: Path) -> None:
    _command("bundle", "check", case, "inference", "--dataset_dir", case)


KINDS: dict[str, Kind] = {
    "dicom": Kind(_series, _import),
    "enhanced": Kind(_files(damage.dicom_file), _import),
    "nifti": Kind(_files(damage.nifti_file), _import),
    "zip": Kind(_files(damage.zip_file), _import),
    "mask": Kind(_files(damage.nifti_file), _labels),
    "seg": Kind(_files(damage.dicom_file), _labels),
    "nrrd": Kind(_files(damage.nrrd_file), _labels),
    "manifest": Kind(
        _with_others("dataset.json", damage.json_text),
        lambda case: _command("manifest", "check", case / "dataset.json"),
    ),
    "analysis": Kind(_with_others("measurements.json", damage.json_text), _followup),
    "calibration": Kind(
        _files(damage.json_text), lambda case: read_calibration(next(case.iterdir())) and None
    ),
    "bundle": Kind(_with_others("inference.yaml", damage.yaml_text), _bundle),
    "metadata": Kind(
        _with_others("metadata.json", damage.json_text), lambda c: _command("bundle", "check", c)
    ),
    "study": Kind(
        lambda sound, target, rng: _with_others(
            pick(rng, ["measurements.csv", "measurements.json", "provenance.json"]),
            damage.json_text if rng.random() < 0 else damage.any_bytes,
        )(sound, target, rng),
        _study_state,
    ),
}
SOUND = {"metadata": "bundle", "study": "analysis"}  # kinds that share the sound inputs of another
