"""The way of stock MONAI: each bundle by its ``inference.yaml`` alone, and ours by the same steps,
on one NIfTI file.

Both read the file, run the two networks once with the same weights, and write two label maps on the
scan's grid. Stock MONAI brings all class probabilities back to that grid (``Invertd``), then takes
the arg-max.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.timing import Cost, measured, timed

ROOT = Path(__file__).resolve().parents[1]
BUNDLES = {
    "head_ct_anatomy": "anatomy",
    "ich_segmentation": "ich",
}  # name to the ending of what it writes


def stock_cold(ct: Path, out: Path, device: str) -> Cost:
    """Two commands, as the bundles' own documentation says: seconds together, the larger peak."""
    costs = []
    for name in BUNDLES:
        root = ROOT / "bundles" / name
        options = {
            "config_file": root / "configs" / "inference.yaml",
            "bundle_root": root,
            "images": f"['{ct}']",
        }
        options |= {"output_dir": out, "device": f"$torch.device('{device}')"}
        words = [str(word) for key, value in options.items() for word in (f"--{key}", value)]
        costs.append(timed([sys.executable, "-m", "monai.bundle", "run", *words], cwd=out))
    return Cost(
        sum(c.wall_s for c in costs), sum(c.cpu_s for c in costs), max(c.peak_gb for c in costs)
    )


def stock_warm(ct: Path, out: Path, device: str, runs: int) -> list[Cost]:
    """In one process that has loaded both bundles; the first run does not count."""
    from monai.bundle import ConfigParser

    evaluators = []
    for name in BUNDLES:
        root = ROOT / "bundles" / name
        parser = ConfigParser()
        parser.read_config(str(root / "configs" / "inference.yaml"))
        parser.update({"bundle_root": str(root), "images": [str(ct)], "output_dir": str(out)})
        parser.update({"device": f"$torch.device('{device}')"})
        parser.get_parsed_content("initialize")
        evaluators.append(parser.get_parsed_content("evaluator"))
    costs = []
    for _ in range(runs + 1):
        with measured() as cost:
            for evaluator in evaluators:
                evaluator.run()
        costs.append(cost)
    return costs[1:]


def ours_warm(ct: Path, out: Path, device: str, runs: int) -> list[Cost]:
    """The same steps by `monai_ich.predict`: no mirrored head, no cavity, no cleaning up."""
    from monai_ich.bundle import load_bundle, predict
    from monai_ich.core.labels import Anatomy, Subtype
    from monai_ich.core.volume import LabelMap
    from monai_ich.io.nifti import read_nifti_ct, write_nifti

    bundles = {name: load_bundle(name, device=device) for name in BUNDLES}
    sets = {"head_ct_anatomy": Anatomy, "ich_segmentation": Subtype}
    costs = []
    for _ in range(runs + 1):
        with measured() as cost:
            scan = read_nifti_ct(ct)
            for name, bundle in bundles.items():
                found = predict(bundle, scan).labels
                found[found > max(sets[name])] = 0  # edema is in no label map of blood
                labels = LabelMap(found, scan.geometry, sets[name])
                write_nifti(out / f"ct_{BUNDLES[name]}.nii.gz", labels)
        costs.append(cost)
    return costs[1:]


def agreement(ours: Path, stock: Path, truth: Path) -> dict[str, dict[str, float]]:
    """Dice of each label map: ours with stock MONAI's; ours and stock MONAI's with the truth (mean
    over labels).
    """
    import nibabel as nib
    import numpy as np

    found: dict[str, dict[str, float]] = {}
    for name in BUNDLES.values():
        a, b = (
            np.asarray(nib.load(folder / f"ct_{name}.nii.gz").dataobj) for folder in (ours, stock)
        )
        t = np.asarray(nib.load(truth / f"{name}.nii.gz").dataobj)
        values = [v for v in np.unique(t).tolist() if v]

        def dice(p: np.ndarray, q: np.ndarray, values: list[int] = values) -> float:
            parts = [
                2 * np.sum((p == v) & (q == v)) / max(1, np.sum(p == v) + np.sum(q == v))
                for v in values
            ]
            return round(float(np.mean(parts)), 4)

        found[name] = {
            "ours with stock": dice(a, b),
            "ours with truth": dice(a, t),
            "stock with truth": dice(b, t),
        }
    return found
