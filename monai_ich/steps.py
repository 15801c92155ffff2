"""What each step of the pipeline takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from monai_ich.bundle import Bundle
from monai_ich.core.atlas import AtlasPose
from monai_ich.core.calibration import Calibration, Evidence
from monai_ich.core.exam import ExamMeasurements
from monai_ich.core.geometry import Box
from monai_ich.core.heat_map import HeatMap
from monai_ich.core.labels import Subtype
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.midline import Midline
from monai_ich.core.second_reading import SecondReading
from monai_ich.core.volume import CTVolume, LabelMap, Mask
from monai_ich.io.read import Scan
from monai_ich.results.files import Analysis
from monai_ich.segment.ich import Hemorrhage


class ReadScan(Protocol):
    """A path to a scan; see `read_ct`."""

    def __call__(self, path: str | Path) -> Scan: ...


class LoadBundle(Protocol):
    """A bundle that is ready to run; see `load_bundle`."""

    def __call__(self) -> Bundle: ...


class SegmentAnatomy(Protocol):
    """A CT to anatomy labels; see `segment_anatomy`."""

    def __call__(self, ct: CTVolume, *, bundle: Bundle) -> LabelMap: ...


class FitMidline(Protocol):
    """Anatomy labels to the midline, or the reason why there is none; see `fit_midline`."""

    def __call__(self, anatomy: LabelMap) -> Midline | NotMeasurable: ...


class SegmentHemorrhage(Protocol):
    """A CT and its cavity to hemorrhage labels, edema and evidence; see `segment_ich`."""

    def __call__(
        self, ct: CTVolume, cavity: Mask, *, within: Box | None, bundle: Bundle
    ) -> Hemorrhage: ...


class MeasureExam(Protocol):
    """Labels to measurements; see `measure_exam`."""

    def __call__(
        self,
        labels: LabelMap,
        *,
        ct: CTVolume | None,
        anatomy: LabelMap | None,
        midline: Midline | NotMeasurable | None,
        pose: AtlasPose | NotMeasurable | None,
        edema: Mask | None,
        uncertain: Sequence[str],
        evidence: Evidence | None,
        calibration: Calibration | None,
    ) -> ExamMeasurements: ...


class ClassifyExam(Protocol):
    """A CT, or a box of it, to what a second network says of the exam; see `classify_exam`."""

    def __call__(
        self, ct: CTVolume, *, within: Box | None, bundle: Bundle
    ) -> SecondReading | NotMeasurable: ...


class WriteResults(Protocol):
    """An analysis to files in a folder; see `write_results`."""

    def __call__(self, analysis: Analysis, folder: Path) -> None: ...


class ExplainHemorrhage(Protocol):
    """Labels to a heat map of each subtype that is present; see `explain_ich`."""

    def __call__(
        self,
        ct: CTVolume,
        labels: LabelMap,
        subtypes: Sequence[Subtype],
        *,
        cavity: Mask,
        within: Box | None,
        bundle: Bundle,
    ) -> tuple[HeatMap, ...]: ...


class Track(Protocol):
    """A record of an analysis in a store; see `Tracker`."""

    def check(self) -> None:
        """Refuse a store that cannot be written to, before anything is computed."""

    def __call__(self, analysis: Analysis, folder: Path) -> None: ...
