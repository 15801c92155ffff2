"""DICOM series of a manifest, checked as import reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monai_ich.cli.app import main
from monai_ich.core.errors import ManifestError
from monai_ich.learn.rows import LoadScand, read_rows
from monai_ich.manifest.check import check_manifest
from monai_ich.manifest.manifest import read_manifest
from tests.manifest_files import write_json
from tests.phantom import files, series

BAD = {
    "cut": "TRUNCATED_FILE",
    "gap": "MISSING_SLICES",
    "single": "TOO_FEW_SLICES",
    "uneven": "SLICE_COUNT",
    "folder": "MISSING_SLICES",
    "copy": "DUPLICATE_IMAGE",
}


def _halve(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """A sound series, and one for each fault."""
    paths = {}
    for seed, name in enumerate(("sound", "cut", "gap", "uneven", "folder")):
        paths[name] = files(series(tmp_path / name, seed=seed))
    _halve(paths["cut"][5])
    for path in paths["folder"][6:12]:
        path.unlink()
    paths["gap"] = [p for n, p in enumerate(paths["gap"]) if not 6 <= n < 12]
    paths["single"] = files(series(tmp_path / "single", seed=9))[:1]
    paths["copy"] = paths["sound"]

    def row(name: str) -> dict[str, Any]:
        names = [path.relative_to(tmp_path).as_posix() for path in paths[name]]
        labels: list[Any] = [[] for _ in names]
        image: Any = name if name == "folder" else names if len(names) > 1 else names[0]
        return {"id": name, "image": image, "slice_labels": labels[name == "uneven" :]}

    rows = [row(name) for name in ("sound", *BAD)]
    record = {"schema": "monai-ich/manifest/1", "name": "x", "label_mapping": {}, "training": rows}
    return write_json(tmp_path / "dataset.json", record)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_each_bad_series_is_named_with_its_code(
    faulty: Path, workers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["manifest", "check", str(faulty), "--workers", workers]) == 3
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "6 faults found" and len(said) == 7
    for name, code in BAD.items():
        assert any(line.startswith(code) and name in line for line in said), name
    assert "--lenient" not in "".join(said)


def test_scans_with_faults_are_left_out(
    faulty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "lists" / "sound.json"
    words = ["manifest", "check", str(faulty), "-o", str(out)]
    assert main(words) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-3:] == [
        "6 faults found",
        "left out 6 scans with faults",
        "wrote 1 scans of 1 patients",
    ]
    (kept,) = read_manifest(out).cases
    assert kept.id == "sound" and not list(check_manifest(out))
    assert main(words) == 3, "an earlier manifest stays"
    assert main([*words, "--overwrite"]) == 0


def test_nothing_is_written_where_none_is_left_or_the_list_itself_is_wrong(
    faulty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = json.loads(faulty.read_text())
    rows, out = record["training"], tmp_path / "out.json"
    path = write_json(tmp_path / "m.json", record | {"training": rows[3:4]})
    assert main(["manifest", "check", str(path), "-o", str(out)]) == 3 and not out.exists()
    assert "NO_CASES" in capsys.readouterr().err
    write_json(path, record | {"training": [rows[0], rows[0]]})
    assert main(["manifest", "check", str(path), "-o", str(out)]) == 3 and not out.exists()
    assert "wrote nothing" in capsys.readouterr().out


def test_training_names_the_case_and_no_option_that_it_lacks(faulty: Path) -> None:
    rows = {row["case"]: row for row in read_rows(faulty.parent, "training")}
    assert LoadScand()(rows["sound"])["kind"] == "slices"
    for name, code in BAD.items():
        if name == "copy":
            continue
        with pytest.raises(ManifestError, match=f"{code}: Case {name}: .*manifest check") as told:
            LoadScand()(rows[name])
        assert "--" not in told.value.message and told.value.message.count(".") == 1
