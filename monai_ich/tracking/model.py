"""The whole pipeline as an MLflow model: paths of scans in, one row of numbers a scan out.

`tracking.register` logs it; whoever loads it runs the toolkit and the bundles that were logged, not
those installed.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.pyfunc import PythonModel
from mlflow.types import ColSpec, Schema

from monai_ich.analysis import load_pipeline
from monai_ich.bundle.load import CLASSIFIER
from monai_ich.core.errors import IchError
from monai_ich.core.scratch import temporary
from monai_ich.io.table import write_measurements_csv
from monai_ich.study.results import as_table

SIGNATURE = ModelSignature(Schema([ColSpec("string")]))  # no name: a list, or any column
EXAMPLE = pd.DataFrame({"path": ["scan.nii.gz"]})


class ScanModel(PythonModel):
    """Analyzes head CT on the machine where it is loaded."""

    def load_context(self, context: Any) -> None:
        """Load the logged bundles into the pipeline."""
        others = {"load_anatomy#name_or_path": context.artifacts["head_ct_anatomy"]}
        if CLASSIFIER in context.artifacts:
            others["classifier_root"] = context.artifacts[CLASSIFIER]
        self.pipeline = load_pipeline(context.artifacts["ich_segmentation"], **others).loaded()

    def predict(self, context: Any, model_input, params: Any = None):  # type: ignore[no-untyped-def]
        """One row a scan, in order: the columns of ``measurements.csv``, and ``error`` where it was
        refused.

        Input and result are not annotated: MLflow would take that for a schema of its own, which
        refuses tables. `SIGNATURE` takes them and lists.

        Args:
            context: of MLflow; not used.
            model_input: paths (DICOM folder, zip, NIfTI): a list, or the first column of a table.
            params: none.

        Returns:
            A `pandas.DataFrame` whose columns keep their types where cells are empty.
        """
        table = isinstance(model_input, pd.DataFrame)
        paths = model_input.iloc[:, 0] if table else model_input
        rows = [self._row(str(path), f"scan-{n:04d}") for n, path in enumerate(paths, start=1)]
        return as_table([{"case_id": "", "error": None} | row for row in rows])

    def _row(self, path: str, case_id: str) -> dict[str, Any]:
        try:
            done = self.pipeline.run(self.pipeline.read(path), case_id=case_id)
        except IchError as error:
            return {"case_id": case_id, "error": str(error)}
        with temporary() as scratch:
            table = scratch / "measurements.csv"
            write_measurements_csv(table, done.exam, case_id=case_id, provenance=done.provenance)
            return dict(pd.read_csv(table).iloc[0])
