"""Two scans of one head, brought together by a rigid motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from monai_ich.core.geometry import FloatArray, to_lps
from monai_ich.core.resample import orthogonal_grid, resample_ct
from monai_ich.core.volume import CTVolume

_SPACING_MM = 3.0
_HU = (-100.0, 400.0)  # fat to bone: scalp, brain and skull all speak
_ARM_MM = 50.0  # a turn by a radian moves the head about as much as so many millimeters


@dataclass(frozen=True, eq=False)
class Registration:
    """A rigid motion.

    Args:
        affine: 4x4, from RAS mm of the fixed scan to RAS mm of the moving one.
        correlation: of both scans after it, -1 to 1.
    """

    affine: FloatArray
    correlation: float

    @property
    def rotation_deg(self) -> float:
        """Angle of the turn."""
        return float(
            np.degrees(np.arccos(np.clip((np.trace(self.affine[:3, :3]) - 1.0) / 2.0, -1.0, 1.0)))
        )


def register_rigid(fixed: CTVolume, moving: CTVolume) -> Registration:
    """Find the rigid motion that makes two head CTs correlate best, from coarse to fine.

    Both are straightened and resampled to 3 mm first, so any grid will do (sheared, thick slices).
    Starts from the centers of mass of what is not air.
    """
    images = [_image(ct) for ct in (fixed, moving)]
    start = sitk.CenteredTransformInitializer(
        *images, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 0.003, 200, 0.7)
    method.SetOptimizerScales([_ARM_MM**2] * 3 + [1.0] * 3)
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    method.SetInitialTransform(start, inPlace=False)
    found = method.Execute(*images)
    corners = np.vstack([np.zeros(3), 100.0 * np.eye(3)])
    moved = to_lps([found.TransformPoint(to_lps(corner).tolist()) for corner in corners])
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = (moved[1:] - moved[0]).T / 100.0, moved[0]
    correlation = np.sqrt(max(0.0, -method.GetMetricValue()))  # ITK's is the negative square
    return Registration(motion, float(correlation))


def _image(ct: CTVolume) -> sitk.Image:
    coarse = resample_ct(ct, orthogonal_grid(ct.geometry, (_SPACING_MM,) * 3))
    image = sitk.GetImageFromArray(np.clip(coarse.hu, *_HU).transpose(2, 1, 0) - _HU[0])
    affine = coarse.geometry.affine_lps
    image.SetSpacing(coarse.geometry.spacing_mm)
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((affine[:3, :3] / coarse.geometry.spacing_mm).ravel().tolist())
    return image
