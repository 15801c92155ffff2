"""Lets ``import torchvision`` succeed where its compiled part does not fit the PyTorch there is.

MONAI Label needs two Python functions of torchvision, ``make_grid`` and ``save_image``; importing
them asks for two compiled operators. They are declared here without an implementation: what calls
one fails. Python runs this at its start where the folder is on ``PYTHONPATH``; where torchvision
works, it does nothing.
"""

import sys

import torch

try:
    import torchvision  # noqa: F401
except RuntimeError:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    DECLARED = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        DECLARED.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
except ModuleNotFoundError:
    pass
