"""What computing the networks costs with PyTorch, OpenVINO and ONNX Runtime, and whether their
labels are the same.

    python -m benchmarks.runtimes SCAN [--repeats 5]

SCAN is anything that ``analyze`` reads. One thread, CPU seconds of the process: figures hold where
other processes run too. The networks take turns, so that a busy minute slows all of them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.timing import measured
from monai_ich.agreement.overlap import dice
from monai_ich.anatomy.cavity import cavity_box, segment_anatomy
from monai_ich.bundle import BUNDLES, Bundle, load_bundle, network_input, predict
from monai_ich.bundle.runtime import Runtime
from monai_ich.core.geometry import Geometry
from monai_ich.core.volume import Mask
from monai_ich.io.read import read_ct

RECORD = Path(__file__).with_suffix(".json")


def lowest_dice(a: np.ndarray, b: np.ndarray, grid: Geometry) -> float:
    """Of each label that either map holds; 1 where they are equal."""
    values = np.union1d(a, b)
    return min(dice(Mask(a == value, grid), Mask(b == value, grid)) for value in values)


def cpu_s(run: Callable[[], Any]) -> float:
    """Of one run."""
    with measured() as cost:
        run()
    return cost.cpu_s


def compare(loaded: dict[Runtime, Bundle], ct: Any, box: Any, repeats: int) -> dict[str, Any]:
    """One network by each runtime: CPU seconds (median), largest difference of a probability, the
    lowest Dice of its labels with PyTorch's.
    """
    image = network_input(loaded[Runtime.TORCH], ct, box)[0][None]
    seconds: dict[Runtime, list[float]] = {by: [] for by in loaded}
    found = {by: predict(bundle, ct, within=box) for by, bundle in loaded.items()}
    with torch.inference_mode():
        for _ in range(repeats):
            for by, bundle in loaded.items():
                seconds[by].append(cpu_s(lambda scores=bundle.scores: scores(image)))
    right = found[Runtime.TORCH]
    return {
        str(by): {
            "cpu_s": round(median(seconds[by]), 2),
            "probability_off": float((p.probabilities - right.probabilities).abs().max()),
            "dice": lowest_dice(p.labels, right.labels, ct.geometry),
        }
        for by, p in found.items()
    }


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    ct = read_ct(args.scan).volume
    load_s: dict[str, float] = {}
    bundles: dict[str, dict[Runtime, Bundle]] = {name: {} for name in BUNDLES}
    for by in Runtime:
        with measured() as cost:
            for name in BUNDLES:
                bundles[name][by] = load_bundle(name, device="cpu", runtime=by)
        load_s[str(by)] = round(cost.cpu_s, 2)
    anatomy = segment_anatomy(ct, bundle=bundles["head_ct_anatomy"][Runtime.TORCH])
    boxes = {"head_ct_anatomy": None, "ich_segmentation": cavity_box(anatomy.mask(), margin_mm=12)}
    record = {
        "load_cpu_s": load_s,
        "networks": {n: compare(bundles[n], ct, boxes[n], args.repeats) for n in BUNDLES},
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
