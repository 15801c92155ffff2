"""The story of one scan: read, find the cavity, find the blood, measure, write.

The steps and their parameters stand in ``bundles/ich_segmentation/configs/pipeline.yaml``; the
command line, this module's `analyze` and ``python -m monai.bundle run`` all build the same
`Pipeline` from it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from monai_ich.anatomy.atlas_pose import find_atlas_pose
from monai_ich.anatomy.cavity import cavity_box
from monai_ich.bundle import Bundle, find_bundle
from monai_ich.core.case_names import case_name
from monai_ich.core.exam import ExamMeasurements
from monai_ich.core.heat_map import HeatMap
from monai_ich.core.measurement import NotMeasurable
from monai_ich.core.midline import Midline
from monai_ich.core.provenance import Notice, Provenance, installed_versions
from monai_ich.core.volume import CTVolume, LabelMap
from monai_ich.io.identity import identity_of
from monai_ich.io.output import output_folder
from monai_ich.io.read import Scan
from monai_ich.measure.plausibility import require_head
from monai_ich.measure.second_reading import read_twice
from monai_ich.results.dicom import require_source
from monai_ich.results.files import ON_REQUEST, RESULTS, Analysis
from monai_ich.segment.ich import Hemorrhage
from monai_ich.segment.second_reading import classify_exam
from monai_ich.steps import (
    ClassifyExam,
    ExplainHemorrhage,
    FitMidline,
    LoadBundle,
    MeasureExam,
    ReadScan,
    SegmentAnatomy,
    SegmentHemorrhage,
    Track,
    WriteResults,
)

_SCALP_MM = 40.0  # of skull and scalp around the cavity
_NOT_CALIBRATED = Notice(
    "NOT_CALIBRATED",
    "These weights were not calibrated: volumes have no interval, subtypes no probability "
    "(monai-ich calibrate).",
)


@dataclass(frozen=True)
class Pipeline:
    """The path of a scan; each step is a plain function with its parameters bound.

    Args:
        read: path to `Scan`.
        load_anatomy, load_ich: give the two bundles that label voxels.
        load_classifier: gives the one of the second reading; None for none.
        segment_anatomy: CT and bundle to anatomy labels.
        fit_midline: anatomy labels to midline, or the reason why there is none.
        segment_ich: CT, cavity, box and bundle to hemorrhage labels, edema and what the
            probabilities add up to.
        measure: labels, CT, anatomy, midline to measurements.
        classify: CT and bundle to a second reading.
        write: analysis and folder to files.
        explain: CT, labels, cavity and bundle to heat maps of the subtypes that are present; None
            for none.
        track: makes an MLflow run of an analysis and its folder; None for none.
        margin_mm: around the cavity, what the hemorrhage network looks at.
        keep_ids: write patient ID and UIDs of a DICOM study into the tables.
        dicom: write DICOM results too; they carry the patient and refuse NIfTI input.
        notes: kept in the provenance beside the settings.
    """

    read: ReadScan
    load_anatomy: LoadBundle
    load_ich: LoadBundle
    segment_anatomy: SegmentAnatomy
    fit_midline: FitMidline
    segment_ich: SegmentHemorrhage
    measure: MeasureExam
    write: WriteResults
    load_classifier: LoadBundle | None = None
    classify: ClassifyExam = classify_exam
    explain: ExplainHemorrhage | None = None
    track: Track | None = None
    margin_mm: float = 12.0
    keep_ids: bool = False
    dicom: bool = False
    notes: dict[str, object] = field(default_factory=dict)

    def __call__(
        self,
        input: str | Path,
        output_dir: str | Path,
        *,
        case_id: str | None = None,
        overwrite: bool = False,
    ) -> Analysis:
        """Analyze one scan and write its results; nothing appears under `output_dir` unless all of
        it does.

        Raises:
            TrackingError: ``MLFLOW_UNAVAILABLE`` before anything is computed; ``MLFLOW_FAILED``
                when all is written.
        """
        folder = Path(output_dir)
        if self.track is not None:
            self.track.check()
        with output_folder(folder, results=(*RESULTS, *ON_REQUEST), overwrite=overwrite) as scratch:
            clock = Clock()
            with clock("read"):
                scan = self.read(input)
            own = folder.resolve().name
            analysis = self.run(
                scan, case_id=case_id or (own if self.keep_ids else case_name(own)), clock=clock
            )
            with clock("write"):
                self.write(analysis, scratch)
        if self.track is not None:
            self.track(analysis, folder)
        return analysis

    @property
    def settings(self) -> dict[str, object]:
        """Parameters that were bound to the steps, as ``step#name``: what a number depends on, and
        no identifier.
        """
        found: dict[str, object] = {"margin_mm": self.margin_mm}
        for step in ("read", "segment_anatomy", "fit_midline", "segment_ich", "measure"):
            bound = getattr(getattr(self, step), "keywords", {})  # of a functools.partial
            found |= {
                f"{step}#{name}": value for name, value in bound.items() if name != "series_uid"
            }
        return found

    def loaded(self) -> Pipeline:
        """The same, its bundles loaded now and kept: for many scans."""
        anatomy, ich, classifier = self.load_bundles()
        return replace(
            self,
            load_anatomy=lambda: anatomy,
            load_ich=lambda: ich,
            load_classifier=None if classifier is None else lambda: classifier,
        )

    def load_bundles(self) -> tuple[Bundle, Bundle, Bundle | None]:
        """Of anatomy, of hemorrhage, and of the second reading where there is one."""
        classifier = None if self.load_classifier is None else self.load_classifier()
        return self.load_anatomy(), self.load_ich(), classifier

    def run(self, scan: Scan, *, case_id: str, clock: Clock | None = None) -> Analysis:
        """From a scan in memory to an analysis in memory."""
        clock = clock or Clock()
        ct, source = scan.volume, require_source(scan.source) if self.dicom else None
        with clock("load"):
            anatomy_bundle, ich_bundle, classifier = self.load_bundles()
        with clock("anatomy"):
            anatomy = self.segment_anatomy(ct, bundle=anatomy_bundle)
            require_head(ct, anatomy)
            cavity = anatomy.mask()
        box = cavity_box(cavity, margin_mm=self.margin_mm)
        with clock("hemorrhage"):
            found = self.segment_ich(ct, cavity, within=box, bundle=ich_bundle)
        with ThreadPoolExecutor(1) as beside:  # what is measured leaves a core free
            second = None
            if classifier is not None:
                head = cavity_box(cavity, margin_mm=_SCALP_MM)
                second = beside.submit(self.classify, ct, within=head, bundle=classifier)
            with clock("measure"):
                midline = self.fit_midline(anatomy)
                exam = self._measured(ct, anatomy, midline, found, anatomy_bundle, ich_bundle)
            if second is not None:
                with clock("second_reading"):
                    exam = read_twice(exam, second.result())
        heat_maps: tuple[HeatMap, ...] = ()
        if self.explain is not None:
            present = [finding.subtype for finding in exam.subtypes if finding.present]
            with clock("explain"):
                heat_maps = self.explain(
                    ct, found.labels, present, cavity=cavity, within=box, bundle=ich_bundle
                )
        bundles = [b for b in (anatomy_bundle, ich_bundle, classifier) if b is not None]
        provenance = Provenance(
            versions=installed_versions(ich_bundle.runtime.packages),
            weights={b.name: b.weights_sha256 for b in bundles},
            status=ich_bundle.status,
            settings=self.settings | {"runtime": str(ich_bundle.runtime)} | self.notes,
            seconds=clock.seconds,
            configs={b.name: b.configs_sha256 for b in bundles},
            acquisition=scan.acquisition.on(ct.geometry),
        )
        warnings = (
            *scan.warnings,
            *exam.warnings,
            *([_NOT_CALIBRATED] if ich_bundle.calibration is None else []),
        )
        identity = identity_of(scan) if self.keep_ids else None
        return Analysis(
            case_id=case_id,
            ct=ct,
            anatomy=anatomy,
            cavity=cavity,
            labels=found.labels,
            edema=found.edema,
            midline=midline,
            exam=exam,
            warnings=warnings,
            provenance=provenance,
            identity=identity,
            source=source,
            heat_maps=heat_maps,
        )

    def _measured(
        self,
        ct: CTVolume,
        anatomy: LabelMap,
        midline: Midline | NotMeasurable,
        found: Hemorrhage,
        anatomy_bundle: Bundle,
        ich_bundle: Bundle,
    ) -> ExamMeasurements:
        calibration = ich_bundle.calibration
        return self.measure(
            found.labels,
            ct=ct,
            anatomy=anatomy,
            midline=midline,
            pose=find_atlas_pose(anatomy, midline),
            edema=found.edema,
            uncertain=ich_bundle.uncertain,
            evidence=found.evidence,
            calibration=calibration and calibration.with_anatomy(anatomy_bundle.weights_sha256),
        )


class Clock:
    """Wall time of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time a stage."""
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 3)


def load_pipeline(bundle_root: str | Path | None = None, **overrides: Any) -> Pipeline:
    """Build the pipeline from a bundle's ``pipeline.yaml``.

    Args:
        bundle_root: of the hemorrhage bundle; None for the one of the toolkit.
        overrides: ids of that file, ``#`` between levels, for example ``{"read#mode": "lenient",
            "device": "cpu"}``.
    """
    from monai.bundle import ConfigParser

    root = Path(bundle_root) if bundle_root is not None else find_bundle("ich_segmentation")
    parser = ConfigParser()
    parser.read_config(str(root / "configs" / "pipeline.yaml"))
    parser.update({"bundle_root": str(root), **overrides})
    pipeline = parser.get_parsed_content("pipeline")
    assert isinstance(pipeline, Pipeline)
    return pipeline


def analyze(
    input: str | Path,
    output_dir: str | Path,
    *,
    case_id: str | None = None,
    overwrite: bool = False,
    **overrides: Any,
) -> Analysis:
    """Analyze one head CT (DICOM folder, .zip, DICOMDIR or NIfTI) and write every result into
    `output_dir`.

    Args:
        input: what to read.
        output_dir: made if missing.
        case_id: name of the case in the tables; by default the output folder's, unless it may be a
            record number.
        overwrite: replace earlier results.
        overrides: see `load_pipeline`.

    Raises:
        IchError: the input or the output folder was refused; nothing is written then.
    """
    return load_pipeline(**overrides)(input, output_dir, case_id=case_id, overwrite=overwrite)
