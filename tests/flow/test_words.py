"""What a user gives by mistake, or a machine is short of, ends in a code and a sentence that says
what to do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from monai_ich.cli.app import main
from monai_ich.io.nifti import write_nifti
from tests.conftest import ROOT
from tests.phantom import grid, phantom


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit code, code and sentence."""
    capsys.readouterr()
    status = main(["--json-errors", *map(str, words)])
    said = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert said["code"] != "INTERNAL_ERROR", said
    return status, said["code"], said["message"]


@pytest.mark.parametrize("name", ["ct.nrrd", "ct.mha", "CT.MHD", "ct.hdr", "ct.img"])
def test_a_format_that_is_not_read_says_which_are(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(b"NRRD0004\n")
    for command in ("import", "analyze"):
        status, code, message = refused(capsys, command, tmp_path / name, "-o", tmp_path / "o.nii")
        assert (status, code) == (3, "UNKNOWN_FORMAT") and ".nii.gz" in message


def test_an_empty_argument_is_not_the_current_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, "import", "", "-o", tmp_path / "ct.nii")[:2] == (2, "USAGE")
    assert refused(capsys, "study", "", "-o", tmp_path / "out")[:2] == (2, "USAGE")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["import", "analyze", "measure", "study"])
def test_a_name_that_no_disk_holds_is_a_refusal(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, code, _ = refused(capsys, command, tmp_path / ("x" * 300), "-o", tmp_path / "ct.nii")
    assert (status, code) == (3, "NAME_TOO_LONG")
    write_nifti(tmp_path / "in.nii", phantom(grid()))
    if command == "import":
        assert refused(capsys, command, tmp_path / "in.nii", "-o", tmp_path / ("x" * 300 + ".nii"))[
            :2
        ] == (
            3,
            "NAME_TOO_LONG",
        )


@pytest.mark.slow
def test_a_case_is_not_named_after_a_record_number_or_what_is_no_text(tmp_path: Path) -> None:
    write_nifti(tmp_path / "ct.nii", phantom(grid()))
    from monai_ich.core.labels import Subtype
    from monai_ich.core.volume import LabelMap
    from monai_ich.io.nifti import read_nifti_ct

    geometry = read_nifti_ct(tmp_path / "ct.nii").geometry
    write_nifti(
        tmp_path / "ich.nii",
        LabelMap((phantom(grid()).hu > 1e9).astype("uint8"), geometry, Subtype),
    )
    for name, case in {
        "00001234": "case",
        "monday": "monday",
        os.fsdecode(b"\xff\xfe"): "case",
    }.items():
        assert main(["measure", str(tmp_path / "ich.nii"), "-o", str(tmp_path / name)]) == 0
        assert json.loads((tmp_path / name / "measurements.json").read_text())["case_id"] == case
    words = ["measure", str(tmp_path / "ich.nii"), "-o", str(tmp_path / "99998888"), "--keep-ids"]
    assert main(words) == 0
    assert "99998888" in (tmp_path / "99998888" / "measurements.csv").read_text()
    assert main([*words[:-1], "--overwrite", "--case-id", "7654321"]) == 0, (
        "who types a name means it"
    )
    assert "7654321" in (tmp_path / "99998888" / "measurements.csv").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_console_that_lacks_letters_ends_no_command(tmp_path: Path, encoding: str) -> None:
    words = [
        "synth",
        "-o",
        str(tmp_path / "Œdème 血"),
        "--pixels",
        "48",
        "--thickness-mm",
        "12",
        "--no-thickness",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "monai_ich.cli", *words],
        cwd=ROOT,
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": encoding},
        check=False,
    )
    assert (
        done.returncode == 0
        and b"wrote 1 synthetic head" in done.stdout
        and b"Traceback" not in done.stderr
    )


@pytest.mark.parametrize("words", ["--help", "import --help"])
def test_help_that_nobody_reads_to_its_end_is_no_fault(words: str) -> None:
    command = f"set -o pipefail; {sys.executable} -m monai_ich.cli {words} | true"
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr


@pytest.mark.slow
def test_a_full_temporary_folder_is_not_an_unsafe_archive(tmp_path: Path) -> None:
    """On a disk of 1 MB of its own, where this machine lets one be made."""
    import zipfile

    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no disk can be made here")
    try:
        with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
            archive.writestr("a.dcm", os.urandom(3 << 20))
        words = ["import", str(tmp_path / "study.zip"), "-o", str(tmp_path / "ct.nii")]
        done = subprocess.run(
            [sys.executable, "-m", "monai_ich.cli", "--json-errors", *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env=os.environ | {"TMPDIR": str(disk)},
            check=False,
        )
        assert done.returncode == 3 and json.loads(done.stderr)["code"] == "DISK_FULL", done.stderr
    finally:
        subprocess.run(["umount", str(disk)], check=False)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_a_manifest_of_another_editor_is_read_or_refused(
    tmp_path: Path, encoding: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record = {"schema": "monai-ich/manifest/1", "name": "é", "label_mapping": {"1": "EDH"}}
    record["test"] = [{"id": "a", "image": "a.nii"}]
    (tmp_path / "m.json").write_text(json.dumps(record, ensure_ascii=False), encoding=encoding)
    _, code, _ = refused(capsys, "manifest", "check", tmp_path / "m.json")
    assert code == ("NOT_JSON" if encoding in ("utf-16-le", "latin-1") else "MISSING_FILE")


DEEP = ("[" * 100_000, '{"a":' * 100_000)


@pytest.mark.slow
@pytest.mark.parametrize("text", [*DEEP, "NaN", '{"schema": 1e999}', "1" * 10_000, '"\\ud800"'])
@pytest.mark.parametrize("what", ["manifest", "followup", "dataset"])
def test_json_that_nobody_writes_is_refused(
    tmp_path: Path, text: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = {"manifest": "m.json", "followup": "measurements.json", "dataset": "dataset.json"}[what]
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(text)
    words: list[object] = {
        "manifest": ["manifest", "check", tmp_path / "a" / name],
        "followup": ["followup", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "out"],
        "dataset": [
            "bundle",
            "check",
            "ich_segmentation",
            "train",
            "--dataset_dir",
            tmp_path / "a",
        ],
    }[what]
    assert refused(capsys, *words)[0] == 3
    assert not (tmp_path / "out").exists()
