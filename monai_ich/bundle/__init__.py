"""Load a MONAI bundle and run it on a volume: the one bridge between the toolkit's nouns and
tensors.

Preprocessing, network and inferer are read from the bundle's own ``inference.yaml``, so this path
and MONAI's own ``python -m monai.bundle run`` see the same tensors. Only the way back differs:
MONAI's ``Invertd`` would hold all class probabilities of the whole native grid at once (5 GB for a
thin series); here they are interpolated slice by slice.
"""

from monai_ich.bundle.load import (
    BUNDLES,
    Bundle,
    find_bundle,
    load_bundle,
    pipeline_bundles,
)
from monai_ich.bundle.native import labels_on
from monai_ich.bundle.predict import Prediction, network_input, predict, score_scan

__all__ = [
    "BUNDLES",
    "Bundle",
    "Prediction",
    "find_bundle",
    "labels_on",
    "load_bundle",
    "network_input",
    "pipeline_bundles",
    "predict",
    "score_scan",
]
