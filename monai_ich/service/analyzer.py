"""What analyzes a series: the pipeline of `monai_ich.analysis`, loaded once for many scans."""

from __future__ import annotations

import hashlib
import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from monai_ich.core.errors import ServiceError
from monai_ich.service.settings import Settings
from monai_ich.service.summary import Summary, summarize

if TYPE_CHECKING:
    from monai_ich.analysis import Pipeline
    from monai_ich.results.files import Analysis

THUMBNAIL = "key_slice.png"


class Analyzer(Protocol):
    """A series in, files out.

    ``key`` is a hash of all that shapes a result beside the images: version, weights, what was
    calibrated, settings.
    """

    @property
    def key(self) -> str: ...

    def __call__(self, images: Path, folder: Path, case_id: str) -> Summary:
        """Write every file of a result, DICOM objects among them, into `folder`, which is empty.

        Raises:
            IchError: the scan is refused.
        """


class PipelineAnalyzer:
    """The toolkit's own."""

    def __init__(self, pipeline: Pipeline) -> None:
        from monai_ich import __version__

        self.pipeline = pipeline.loaded()
        bundles = [b for b in self.pipeline.load_bundles() if b is not None]
        self.weights = {b.name: b.weights_sha256 for b in bundles}
        configs = {b.name: b.configs_sha256 for b in bundles}
        said = [__version__, self.weights, configs, self.pipeline.settings]
        text = json.dumps(said, sort_keys=True, default=str)
        self.key = hashlib.sha256(text.encode()).hexdigest()

    def __call__(self, images: Path, folder: Path, case_id: str) -> Summary:
        done = self.pipeline(images, folder, case_id=case_id, overwrite=True)
        _write_thumbnail(folder / THUMBNAIL, done)
        return summarize(
            done.exam,
            warnings=tuple(w.code for w in done.warnings),
            ct=done.ct,
            cavity=done.cavity,
            weights=self.weights,
        )


def load(settings: Settings) -> PipelineAnalyzer:
    """The pipeline as ``pipeline.yaml`` describes it, with DICOM results."""
    from monai_ich.analysis import load_pipeline

    given: dict[str, Any] = {"pipeline#dicom": True, "heatmap": settings.heatmap}
    if not settings.second_reading:
        given["second_reading"] = False
    return PipelineAnalyzer(load_pipeline(**given, runtime=settings.runtime))


def load_analyzer(settings: Settings) -> Analyzer:
    """The one that the settings name.

    Raises:
        ServiceError: ``NO_PIPELINE``.
    """
    module, _, name = settings.pipeline.partition(":")
    try:
        made = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        raise ServiceError(
            "NO_PIPELINE",
            "The setting pipeline must be MODULE:FUNCTION of a module that can be imported.",
            exit_code=2,
        ) from None
    found: Analyzer = made(settings)
    return found


def _write_thumbnail(path: Path, done: Analysis) -> None:
    """The slice with most blood, else the first key slice; masks in color."""
    from PIL import Image

    from monai_ich.report.key_slices import colored, pick_key_slices
    from monai_ich.report.view import turn

    view = turn(done.ct, done.labels, done.anatomy).cropped()
    blood = (view.blood > 0).sum(axis=(0, 1))
    keys = pick_key_slices(view, done.exam)
    k = int(blood.argmax()) if blood.any() else keys[0].index if keys else len(blood) // 2
    sizes = zip(view.geometry.shape, view.geometry.spacing_mm, strict=True)
    width, height, _ = (max(1, round(n * mm)) for n, mm in sizes)
    Image.fromarray(colored(view, k)).resize((width, height)).save(path, "PNG")
