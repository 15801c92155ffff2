"""A MONAI Deploy app (App SDK 4.0): a folder of DICOM files in, a DICOM SEG of five hemorrhage
subtypes out.

    python app.py -i STUDY -o OUT -m bundles/ich_segmentation

The SDK's own reader takes slices of a tilted gantry for a straight stack; so the toolkit reads and
writes here, and the SDK's operator runs the bundle in between.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from monai.deploy.conditions import CountCondition
from monai.deploy.core import AppContext, Application, Image, IOType, Operator, OperatorSpec
from monai.deploy.operators.monai_bundle_inference_operator import (
    IOMapping,
    MonaiBundleInferenceOperator,
)

from monai_ich.core.labels import Subtype
from monai_ich.core.provenance import Provenance, installed_versions, sha256_of
from monai_ich.core.volume import LabelMap
from monai_ich.io.read import read_ct
from monai_ich.pacs.origin import read_origin
from monai_ich.pacs.seg import make_dicom_seg
from monai_ich.results.dicom import require_source

SERIES_NUMBER = 900  # behind the scanner's


class ReadHead(Operator):  # type: ignore[misc]
    """The head CT of a folder, in HU, with its true affine: tilt and all."""

    def __init__(self, fragment: Any, *args: Any, folder: Path, **options: Any) -> None:
        self.folder = folder
        super().__init__(fragment, *args, **options)

    def setup(self, spec: OperatorSpec) -> None:
        """Ports."""
        spec.output("image")
        spec.output("scan")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Read; the first sentence of a refusal says why."""
        scan = read_ct(self.folder)
        grid = scan.volume.geometry
        metadata = {
            "affine": grid.affine.copy(),
            "original_affine": grid.affine.copy(),
            "spacing": np.linalg.norm(grid.affine[:3, :3], axis=0),
            "spatial_shape": np.array(grid.shape),
            "original_channel_dim": "no_channel",
            "space": "RAS",
        }
        op_output.emit(Image(scan.volume.hu, metadata), "image")
        op_output.emit(scan, "scan")


class WriteSeg(Operator):  # type: ignore[misc]
    """The mask as a DICOM SEG that refers to the slices it was made from."""

    def __init__(
        self, fragment: Any, *args: Any, folder: Path, weights: Path, **options: Any
    ) -> None:
        self.folder, self.weights = folder, weights
        super().__init__(fragment, *args, **options)

    def setup(self, spec: OperatorSpec) -> None:
        """Ports."""
        spec.input("pred")
        spec.input("scan")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Write ``seg.dcm``."""
        mask = op_input.receive("pred").asnumpy().transpose(2, 1, 0)  # the SDK turns it to K, J, I
        scan = op_input.receive("scan")
        blood = np.where(mask <= len(Subtype), mask, 0).astype(np.uint8)  # edema is no blood
        labels = LabelMap(blood, scan.volume.geometry, Subtype)
        provenance = Provenance(
            installed_versions(), weights={"ich_segmentation": sha256_of(self.weights)}
        )
        origin = read_origin(require_source(scan.source), provenance, blood.tobytes())
        self.folder.mkdir(parents=True, exist_ok=True)
        made = make_dicom_seg([labels], origin, what="hemorrhage", series_number=SERIES_NUMBER)
        origin.write(self.folder / "seg.dcm", made)


class IchApp(Application):  # type: ignore[misc]
    """Read, segment, write."""

    def compose(self) -> None:
        """The graph of operators."""
        context: AppContext = Application.init_app_context(self.argv)
        bundle = Path(context.model_path)
        context.models = None  # a folder is no model to the SDK; the operator builds the network
        once = CountCondition(self, 1)  # an operator without inputs would run forever
        read = ReadHead(self, once, folder=Path(context.input_path), name="read")
        segment = MonaiBundleInferenceOperator(
            self,
            input_mapping=[IOMapping("image", Image, IOType.IN_MEMORY)],
            output_mapping=[IOMapping("pred", Image, IOType.IN_MEMORY)],
            app_context=context,
            bundle_path=bundle,
            name="segment",
        )
        write = WriteSeg(
            self,
            folder=Path(context.output_path),
            weights=bundle / "models" / "model.pt",
            name="write",
        )
        self.add_flow(read, segment, {("image", "image")})
        self.add_flow(segment, write, {("pred", "pred")})
        self.add_flow(read, write, {("scan", "scan")})


if __name__ == "__main__":
    IchApp().run()
