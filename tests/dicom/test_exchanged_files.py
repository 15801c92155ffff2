"""A file that is exchanged after its series was chosen is found out, wherever it is opened
again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from monai_ich.core.errors import IchError
from monai_ich.dicom.series import read_series
from monai_ich.dicom.survey import survey
from monai_ich.io.identity import identity_of
from monai_ich.io.read import read_ct
from tests.phantom import agreement, files, multi_frame, series
from tests.seg_contract import origin_of


def _other_patient(folder: Path) -> Path:
    return series(folder, seed=2, PatientName="ROE^RICHARD", PatientID="ZQ4712")


def _swap(path: Path, other: Path) -> None:
    shutil.copy(files(other)[12], path)


def _renamed(tag: str, value: object) -> Callable[[Path, Path], None]:
    def change(path: Path, other: Path) -> None:
        d = pydicom.dcmread(path)
        setattr(d, tag, value)
        d.save_as(path)

    return change


EXCHANGES: dict[str, Callable[[Path, Path], None]] = {
    "another patient's image": _swap,
    "another SOP": _renamed("SOPInstanceUID", "1.2.3.4"),
    "another series": _renamed("SeriesInstanceUID", "1.2.3.4"),
    "another study": _renamed("StudyInstanceUID", "1.2.3.4"),
    "another place": _renamed("ImagePositionPatient", [-100.8, -100.8, -70.0]),
    "another rescale": _renamed("RescaleIntercept", "-964"),
    "removed": lambda path, other: path.unlink(),
    "no DICOM any more": lambda path, other: path.write_bytes(bytes(500)) and None,
}


@pytest.mark.slow
@pytest.mark.parametrize("exchange", EXCHANGES.values(), ids=EXCHANGES)
def test_an_image_that_is_exchanged_after_the_survey_is_refused(
    tmp_path: Path, exchange: Callable[[Path, Path], None]
) -> None:
    other = _other_patient(tmp_path / "other")
    chosen = survey(series(tmp_path / "s")).choose()
    exchange(files(tmp_path / "s")[12], other)
    with pytest.raises(IchError) as error:
        read_series(chosen)
    assert error.value.code == "CHANGED_WHILE_READING" and "ROE" not in str(error.value)


def test_a_multi_frame_object_that_is_exchanged_is_refused(tmp_path: Path) -> None:
    path = multi_frame(tmp_path / "e.dcm")
    chosen = survey(path).choose()
    assert agreement(read_series(chosen)[0]) > 0.999
    d = pydicom.dcmread(path)
    places = [item.PlanePositionSequence[0] for item in d.PerFrameFunctionalGroupsSequence]
    places[3].ImagePositionPatient, places[4].ImagePositionPatient = (
        places[4].ImagePositionPatient,
        places[3].ImagePositionPatient,
    )
    d.save_as(path)
    with pytest.raises(IchError, match="CHANGED_WHILE_READING"):
        read_series(chosen)


@pytest.mark.parametrize("exchange", ["another patient's image", "another SOP", "removed"])
def test_results_do_not_carry_the_patient_of_a_file_that_was_exchanged_later(
    tmp_path: Path, exchange: str
) -> None:
    scan = read_ct(series(tmp_path / "s", PatientID="ZQ4711"))
    assert (
        identity_of(scan).patient_id == "ZQ4711" and origin_of(scan).identity.PatientID == "ZQ4711"
    )
    EXCHANGES[exchange](files(tmp_path / "s")[0], _other_patient(tmp_path / "other"))
    with pytest.raises(IchError, match="CHANGED_WHILE_READING"):
        origin_of(scan)
    if exchange != "another SOP":
        with pytest.raises(IchError, match="CHANGED_WHILE_READING"):
            identity_of(scan)
