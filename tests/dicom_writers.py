"""Ways in which a head CT may come: writers of DICOM folders, all from the one phantom."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom import uid
from scipy.spatial.transform import Rotation

from monai_ich.core.geometry import Geometry
from tests.dicom_syntax import transcode_folder
from tests.phantom import edit, files, grid, multi_frame, phantom, series


def renumber(folder: Path, numbers: Callable[[int], int]) -> None:
    """Give image ``n`` (from the lowest) the number ``numbers(n)``, in the header and as file
    name.
    """
    for n, path in enumerate(files(folder)):
        d = pydicom.dcmread(path)
        d.InstanceNumber = numbers(n)
        d.save_as(folder / f"im{numbers(n):04d}")
        path.unlink()
    for path in sorted(folder.iterdir()):
        path.rename(path.with_suffix(".dcm"))


def descending(folder: Path) -> None:
    renumber(series(folder), lambda n: 32 - n)


def scrambled(folder: Path) -> None:
    order = np.random.default_rng(3).permutation(32)
    renumber(series(folder), lambda n: int(order[n]) + 1)


def drop(folder: Path, *numbers: int) -> None:
    """Remove images by their place from the lowest, 0 first."""
    for path in [files(folder)[n] for n in numbers]:
        path.unlink()


def lost_end(folder: Path) -> None:
    drop(series(folder, ImagesInAcquisition=32), 30, 31)


def mixed_spacing(folder: Path, tilt_deg: float = 0.0) -> None:
    """2.5 mm at the base, 5 mm above."""
    series(folder, grid(slice_mm=2.5, count=64, tilt_deg=tilt_deg))
    drop(folder, *range(33, 64, 2))
    edit(folder, lambda d, n: setattr(d, "SliceThickness", "5" if n > 32 else "2.5"))


def three_spacings(folder: Path) -> None:
    """2.5, then 5, then 7 mm, on a 0.5 mm raster of positions."""
    at = np.concatenate([np.arange(0, 60, 2.5), np.arange(60, 110, 5), np.arange(110, 160, 7)]) - 77
    slices_at(folder, at)


def slices_at(folder: Path, heights_mm: np.ndarray) -> None:
    """Slices of the phantom at any heights."""
    geometry = grid(count=len(heights_mm))
    affine = geometry.affine.copy()

    def place(d: pydicom.Dataset, n: int) -> None:
        affine[2, 3] = heights_mm[n]
        hu = phantom(Geometry((*geometry.shape[:2], 1), affine)).hu[:, :, 0]
        d.ImagePositionPatient = [*d.ImagePositionPatient[:2], f"{heights_mm[n]:.4f}"]
        d.PixelData = (hu.T + 1024).astype("<i2").tobytes()

    edit(series(folder, geometry), place)


def overlapping_blocks(folder: Path) -> None:
    low, high = np.arange(-78, 8, 4.0), np.arange(-4.5, 78, 4.0)
    slices_at(folder, np.sort(np.concatenate([low, high])))


def every_slice_twice(folder: Path) -> None:
    series(folder)
    for n, path in enumerate(files(folder)):
        d = pydicom.dcmread(path)
        d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{n}"
        d.save_as(folder / f"twice{n:03d}.dcm")
    shutil.copy(path, folder / "copy.dcm")


def brighter(d: pydicom.Dataset) -> None:
    d.PixelData = (d.pixel_array + 7).astype("<i2").tobytes()


def one_position_twice(folder: Path) -> None:
    series(folder)
    d = pydicom.dcmread(files(folder)[9])
    d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.9"
    brighter(d)
    d.save_as(folder / "again.dcm")


STUDY = {"StudyInstanceUID": "1.2.9"}


def together(folder: Path) -> None:
    """The series in the folders a and b, in one folder."""
    for name in "ab":
        for path in files(folder / name):
            path.rename(folder / f"{path.stem}{name}.dcm")
        (folder / name).rmdir()


def two_series(folder: Path) -> None:
    series(folder / "a", seed=1, **STUDY)
    series(folder / "b", grid(tilt_deg=10), seed=2, ConvolutionKernel="BONE", **STUDY)
    together(folder)


def beside_another(
    folder: Path, change: Callable[[pydicom.Dataset, int], None], **header: object
) -> None:
    """The phantom, and a thinner series of it that no word of a header speaks against, changed."""
    edit(
        series(
            folder / "a",
            grid(slice_mm=2.5, count=64),
            seed=1,
            SliceThickness="1",
            **STUDY,
            **header,
        ),
        change,
    )
    series(folder / "b", seed=2, **STUDY)
    together(folder)


def noise(d: pydicom.Dataset, n: int, *, sd_hu: float = 60.0) -> None:
    """As a kernel for bone has it."""
    drawn = np.random.default_rng(n).normal(0, sd_hu, d.pixel_array.shape)
    d.PixelData = np.rint(np.clip(d.pixel_array + drawn, 0, 4000)).astype("<i2").tobytes()


def vessels(d: pydicom.Dataset, _: int) -> None:
    """Two of 10 mm run through all slices, as dense as after contrast."""
    stored = d.pixel_array.copy()
    stored[30:33, 25:28] = stored[34:37, 36:39] = 1024 + 280
    d.PixelData = stored.astype("<i2").tobytes()


def unchanged(d: pydicom.Dataset, n: int) -> None:
    """Nothing is done to the image."""


def two_kernels(folder: Path) -> None:
    """Two reconstructions under one series UID: positions repeat, pixels differ."""
    series(folder)
    for n, path in enumerate(files(folder)):
        d = pydicom.dcmread(path)
        d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{n}"
        d.ConvolutionKernel = "BONE"
        brighter(d)
        d.save_as(folder / f"bone{n:03d}.dcm")


def scout(folder: Path) -> None:
    d = pydicom.dcmread(files(series(folder))[0])
    d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    d.ImageType, d.ImageOrientationPatient = (
        ["ORIGINAL", "PRIMARY", "LOCALIZER"],
        [1, 0, 0, 0, 0, -1],
    )
    d.save_as(folder / "scout.dcm")


def rotated(folder: Path, degrees: tuple[float, float, float], **header: object) -> None:
    """The scanner's frame turned about x, y, z: pixels as a scanner would store them there."""
    upright = grid(pixels=80, count=40)  # large enough for any turn
    affine = upright.affine.copy()
    affine[:3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() @ affine[:3]
    series(folder, Geometry(upright.shape, affine), **header)


def flipped(folder: Path, axes: tuple[int, ...], position: str) -> None:
    """Rows and columns run the other way, as with a prone patient or one who lies feet first."""

    def turn(d: pydicom.Dataset, n: int) -> None:
        steps = np.array(d.ImageOrientationPatient, float).reshape(2, 3)
        corner, lengths = (
            np.array(d.ImagePositionPatient, float),
            (d.PixelSpacing[1], d.PixelSpacing[0]),
        )
        for axis in axes:  # 0: along a row, 1: down a column
            corner = corner + steps[axis] * float(lengths[axis]) * ((d.Columns, d.Rows)[axis] - 1)
            steps[axis] *= -1
        d.PixelData = np.flip(d.pixel_array, [1 - axis for axis in axes]).tobytes()
        d.ImageOrientationPatient, d.ImagePositionPatient = steps.ravel().tolist(), corner.tolist()
        d.PatientPosition = position

    edit(series(folder), turn)


def anisotropic(folder: Path) -> None:
    geometry = grid()
    affine = geometry.affine.copy()
    affine[:3, 0] *= 0.8
    affine[:3, 3] += geometry.affine[:3, 0] * 0.2 * 31.5
    series(folder, Geometry(geometry.shape, affine))


def rescaled(folder: Path) -> None:
    def change(d: pydicom.Dataset, n: int) -> None:
        hu = d.pixel_array.astype(int) - 1024
        slope, intercept = (0.5, -1024) if n % 2 else (1, -500 - n)
        d.RescaleSlope, d.RescaleIntercept = str(slope), str(intercept)
        d.PixelData = ((hu - intercept) / slope).round().astype("<i2").tobytes()

    edit(series(folder), change)


def padded(folder: Path) -> None:
    """Unsigned pixels, 63536 (-2000 in 16 bit) outside the scanner's circle."""
    x, y = np.mgrid[:64, :64] - 31.5
    outside = np.hypot(x, y) > 31

    def change(d: pydicom.Dataset, n: int) -> None:
        stored = d.pixel_array.astype(np.uint16)
        stored[outside] = 63536
        d.PixelRepresentation, d.PixelPaddingValue, d.PixelData = 0, 63536, stored.tobytes()
        d["PixelPaddingValue"].VR = "US"

    edit(series(folder), change)


def enhanced(folder: Path, tilt_deg: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    multi_frame(folder / "enhanced.dcm", grid(tilt_deg=tilt_deg))


def noisy_orientation(folder: Path) -> None:
    rng = np.random.default_rng(1)

    def change(d: pydicom.Dataset, n: int) -> None:
        d.ImageOrientationPatient = [
            f"{v + rng.uniform(-1e-7, 1e-7):.9f}" for v in (1, -0.0, 0, -0.0, 1, -0.0)
        ]

    edit(series(folder), change)


def in_syntax(folder: Path, syntax: uid.UID) -> None:
    plain = series(folder / "plain")
    transcode_folder(plain, syntax, folder)
    shutil.rmtree(plain)


def truncated(folder: Path) -> None:
    path = files(series(folder))[20]
    path.write_bytes(path.read_bytes()[:-3000])


def two_passes(folder: Path) -> Path:
    """One series, one acquisition, and yet every second slice was taken after the patient had moved
    by 12 mm.
    """

    def change(d: pydicom.Dataset, n: int) -> None:
        if n % 2:
            d.PixelData = np.roll(d.pixel_array, 4, axis=1).tobytes()

    return edit(series(folder), change)


def second_pass(folder: Path, *, count: int = 32, offset_mm: float = 2.5) -> Path:
    """A series of two acquisitions: the second repeats the lowest `count` slices, `offset_mm`
    higher.
    """
    series(folder / "a")
    again = series(folder / "b")
    for path in files(again)[count:]:
        path.unlink()

    def change(d: pydicom.Dataset, n: int) -> None:
        x, y, z = (float(v) for v in d.ImagePositionPatient)
        d.ImagePositionPatient, d.AcquisitionNumber = [x, y, z + offset_mm], "2"
        d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{n + 1}"

    edit(again, change)
    together(folder)
    return folder


def evenly_lost(folder: Path, *, kept: int = 2) -> Path:
    """Only each second slice (or third, ...), though the headers state 2.5 mm."""
    series(folder, grid(slice_mm=2.5, count=60), SpacingBetweenSlices="2.5", SliceThickness="2.5")
    drop(folder, *(n for n in range(60) if n % kept))
    return folder


def one_uid_twice(folder: Path) -> Path:
    """Two different images at two places have one SOPInstanceUID."""
    first, second = files(series(folder))[10:12]
    d = pydicom.dcmread(second)
    d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = pydicom.dcmread(
        first
    ).SOPInstanceUID
    d.save_as(second)
    return folder


def one_slice(folder: Path, change: Callable[[pydicom.Dataset], None], number: int = 14) -> Path:
    """Change one image, by its place from the lowest."""
    path = files(series(folder))[number]
    d = pydicom.dcmread(path)
    change(d)
    d.save_as(path)
    return folder


def of_another_level(d: pydicom.Dataset) -> None:
    d.RescaleIntercept = "-964"


def blank(d: pydicom.Dataset) -> None:
    d.PixelData = np.zeros_like(d.pixel_array).tobytes()


def as_its_neighbor(folder: Path) -> Path:
    series(folder)
    path, beside = files(folder)[12:14]
    d = pydicom.dcmread(path)
    d.PixelData = pydicom.dcmread(beside).PixelData
    d.save_as(path)
    return folder


def text_in_numbers(folder: Path) -> Path:
    """A decimal comma in the slice thickness, words in the tilt."""

    def change(d: pydicom.Dataset, _: int) -> None:
        for tag, value in (("SliceThickness", b"5,0 "), ("GantryDetectorTilt", b"N/A ")):
            key = pydicom.tag.Tag(tag)
            d._dict[key] = pydicom.dataelem.RawDataElement(
                key, "DS", len(value), value, 0, False, True, True
            )

    return edit(series(folder), change)
