"""One case after another in one process, the models loaded once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from monai_ich.analysis import Pipeline
from monai_ich.core.errors import IchError, fault_of_ours
from monai_ich.core.provenance import STUDY_DIGEST
from monai_ich.core.scratch import Scratch
from monai_ich.io.publish import replace_folder
from monai_ich.io.read import as_one_path
from monai_ich.study.inputs import StudyCase
from monai_ich.study.masks import MeasureMasks

_LOG = logging.getLogger(__name__)


Build = Callable[[], Pipeline | MeasureMasks]


@dataclass(frozen=True)
class Outcome:
    """What became of a case: done where `code` is empty."""

    case_id: str
    code: str = ""
    message: str = ""


class Worker:
    """Analyzes cases.

    Args:
        build: gives the pipeline, or what measures masks; called in the worker, once.
    """

    def __init__(self, build: Build) -> None:
        self._build = build
        self._made: Pipeline | MeasureMasks | None = None

    def analyze(self, case: StudyCase, folder: Path, digest: str) -> Outcome:
        """Write the results of `case` into `folder`, whole or not at all; never raises.

        Args:
            case: the scan.
            folder: replaced where it is there.
            digest: of settings and input; kept among the settings in ``provenance.json``.
        """
        try:
            if self._made is None:
                made = self._build()
                self._made = made.loaded() if isinstance(made, Pipeline) else made
            step, notes = self._made, self._made.notes | {STUDY_DIGEST: digest}
            with Scratch(folder.parent) as aside, as_one_path(case.image) as path:
                if isinstance(step, Pipeline):
                    replace(step, notes=notes)(path, aside, case_id=case.id)
                else:
                    replace(step, notes=notes)(path, case, aside)
                replace_folder(aside, folder)
        except IchError as error:
            return Outcome(case.id, error.code, error.message)
        except Exception as error:  # one bad scan never stops the rest
            _LOG.debug("case %s", case.id, exc_info=True)
            fault = fault_of_ours(error)
            return Outcome(case.id, fault.code, fault.message)
        return Outcome(case.id)
