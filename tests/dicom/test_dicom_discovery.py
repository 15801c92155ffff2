"""The right series is found by content and chosen for reasons; what cannot be chosen safely is
refused.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.fileset import FileSet

from monai_ich.core.errors import IchError
from monai_ich.io.read import read_ct
from tests.dicom.refusal import codes, refused
from tests.phantom import agreement, edit, files, grid, series

STUDY = {"StudyInstanceUID": "1.2.9"}


@pytest.mark.slow
def test_best_series_wins_and_a_named_one_always(tmp_path: Path) -> None:
    series(tmp_path / "a", seed=1, **STUDY)
    series(tmp_path / "b", grid(slice_mm=2.5, count=64), seed=2, ConvolutionKernel="BONE", **STUDY)
    scan = read_ct(tmp_path)
    assert scan.volume.geometry.shape[2] == 32 and len(scan.series) == 2
    other = scan.series[1].series_uid
    for name in (other, "2", 2):
        assert read_ct(tmp_path, series_uid=name).volume.geometry.shape[2] == 64
    assert refused(tmp_path, series_uid="1.2.3") == "NO_CT_SERIES"


@pytest.mark.parametrize(
    "worse",
    [
        {"ContrastBolusAgent": "X"},
        {"ConvolutionKernel": "H70h"},
        {"ImageType": ["DERIVED", "SECONDARY"]},
    ],
)
def test_what_speaks_against_a_series_lets_the_other_win(
    tmp_path: Path, worse: dict[str, object]
) -> None:
    series(tmp_path / "a", seed=1, **STUDY, **worse)
    good = series(tmp_path / "b", seed=2, **STUDY)
    scan = read_ct(tmp_path)
    assert scan.source is not None and {p.parent for p in scan.source.paths} == {good}


def test_two_examinations_are_ambiguous_however_different_their_series(tmp_path: Path) -> None:
    series(tmp_path / "a", seed=1)
    series(tmp_path / "b", seed=2, ConvolutionKernel="BONE")
    assert refused(tmp_path) == "AMBIGUOUS_SERIES"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0.9848078, -0.1736482]}, "MIXED_ORIENTATION"),
        ({"PixelSpacing": [3.0, 3.0]}, "MIXED_SPACING"),
        ({"FrameOfReferenceUID": "1.2.3"}, "MIXED_FRAME_OF_REFERENCE"),
    ],
)
@pytest.mark.parametrize("start", [16, 26])
def test_a_series_of_two_grids_never_loses_its_end_in_silence(
    tmp_path: Path, header: dict[str, object], code: str, start: int
) -> None:
    def change(d: pydicom.Dataset, n: int) -> None:
        if n >= start:
            for name, value in header.items():
                setattr(d, name, value)

    edit(series(tmp_path), change)
    assert refused(tmp_path) == code
    if start == 26:
        scan = read_ct(tmp_path, mode="lenient")
        assert codes(scan) >= {code} and scan.volume.geometry.shape[2] == 26


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"Modality": "MR"}, "NO_CT_SERIES"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "LOCALIZER_ONLY"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "NO_CT_SERIES"),
        ({"SOPClassUID": pydicom.uid.SecondaryCaptureImageStorage}, "NO_CT_SERIES"),
        ({"ImageType": ["DERIVED", "PRIMARY", "PERFUSION", "RCBF"]}, "NOT_HU"),
    ],
)
def test_what_is_no_head_ct_is_refused(
    tmp_path: Path, header: dict[str, object], code: str
) -> None:
    assert refused(series(tmp_path, **header)) == code


def test_few_slices_short_coverage_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty") == "NO_DICOM"
    assert refused(tmp_path / "nowhere") == "INPUT_NOT_FOUND"
    folder = series(tmp_path / "a")
    for path in files(folder)[14:]:
        path.unlink()
    assert codes(read_ct(folder)) == {"LIMITED_COVERAGE"}, "65 mm of a head can be measured"
    for path in files(folder)[9:]:
        path.unlink()
    assert refused(folder) == "INSUFFICIENT_COVERAGE"
    assert refused(files(folder)[0]) == "TOO_FEW_SLICES"


def test_links_that_lead_outside_are_counted_and_not_followed(tmp_path: Path) -> None:
    outside = series(tmp_path / "outside")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "folder").symlink_to(outside)
    (tmp_path / "in" / "file.dcm").symlink_to(files(outside)[0])
    with pytest.raises(IchError, match=r"NO_DICOM.* 2 are links, which are not followed"):
        read_ct(tmp_path / "in")


def test_a_dicomdir_stands_for_its_folder(tmp_path: Path) -> None:
    plain = series(tmp_path / "plain")
    directory = FileSet()
    for path in files(plain):
        d = pydicom.dcmread(path)
        d.SeriesNumber, d.StudyDate, d.StudyTime = 1, "20000101", "000000"
        directory.add(d)
    directory.write(tmp_path / "cd")
    assert agreement(read_ct(tmp_path / "cd" / "DICOMDIR").volume) > 0.9999


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_a_zip_reads_like_its_folder_and_its_files_live_as_long_as_the_scan(tmp_path: Path) -> None:
    folder = series(tmp_path / "a")
    archive = _zip(
        tmp_path / "a.zip", {f"deep/12:30/{p.name}": p.read_bytes() for p in files(folder)}
    )
    shutil.rmtree(folder)
    scan = read_ct(archive)
    assert agreement(scan.volume) > 0.9999 and scan.source is not None
    paths = scan.source.paths
    assert pydicom.dcmread(paths[3]).SOPInstanceUID == scan.source.sop_uids[3]
    del scan
    assert not paths[0].parent.exists()


def test_a_hostile_zip_is_refused(tmp_path: Path) -> None:
    hostile = {
        "../out.dcm": b"x",
        "/etc/x": b"x",
        "..\\out": b"x",
        "c:x": b"x",
        "bomb": bytes(30_000_000),
    }
    for name, data in hostile.items():
        assert refused(_zip(tmp_path / "bad.zip", {name: data})) == "UNSAFE_ARCHIVE"
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert refused(tmp_path / "bad.zip") == "UNSAFE_ARCHIVE"
    whole = _zip(tmp_path / "cut.zip", {"x": np.random.default_rng(0).bytes(9000)}).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:2000] + bytes(4000) + whole[6000:])
    assert refused(tmp_path / "cut.zip") == "UNSAFE_ARCHIVE"
    (tmp_path / "cut.zip").write_bytes(whole[:2000])
    assert refused(tmp_path / "cut.zip") == "UNSAFE_ARCHIVE"


@pytest.mark.parametrize(
    "header", [{"Modality": "MR"}, {"RescaleSlope": None}, {"ImagePositionPatient": None}]
)
def test_messages_hold_no_patient_data(tmp_path: Path, header: dict[str, object]) -> None:
    folder = series(tmp_path / "a", PatientName="DOE^JANE", PatientID="4711", **header)
    (folder / "0001.dcm").rename(folder / "DOE_JANE.dcm")
    with pytest.raises(IchError) as error:
        read_ct(folder)
    assert "DOE" not in str(error.value) and "4711" not in str(error.value)
