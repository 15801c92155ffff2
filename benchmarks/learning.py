"""What labels without masks are worth: networks trained on masks and exam labels, side by side.

    python -m benchmarks.learning DATA -o WORK [--judge HEADS] [--steps 7500] [--more 1500]
        [--few 1000] [--only ARM ...]

DATA is a folder of synthetic heads (``make train-data``), read and never written. For each seed's
order of its training heads, a network first trains on 40 with masks (``first_40``, `--steps`). From
its weights, each of these goes on for `--more` steps, as a hospital would that has got more:

- ``masks_40``: the same 40 heads
- ``weak_300``: these, and 300 more with exam labels (``configs/training/weak.yaml``)
- ``masks_340``: all 340 with masks
- ``ranked_80``: the 40, and 40 of the 300 chosen by ``manifest rank`` with the first weights
- ``random_80``: the 40, and 40 of the 300 at random

And with fewer heads, `--few` steps each:

- ``masks_5``, ``masks_10``, ``masks_50``: so many heads with masks, from nothing
- ``pretrained_5``, ``_10``, ``_50``: the same, from weights that took as many steps on the images
  of 300, once for all seeds (``configs/training/pretrain.yaml``)

Steps are counted, not minutes, so that a busy machine favors none; three in ten of ``weak_300`` are
of exam labels. Networks are judged on all of HEADS, another folder of synthetic heads, or on the
validation heads of DATA: Dice of each subtype where it is, and the AUC of "any" over exams.
Trainings go on where they were stopped; arms that are in WORK/learning.json are not run again. The
record is `RECORD`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from monai_ich.core.provenance import installed_versions

ROOT = Path(__file__).resolve().parents[1]
RECORD = Path(__file__).with_name("learning.json")
BUNDLE = ROOT / "bundles" / "ich_segmentation"
EFFICIENCY = tuple(f"{kind}_{n}" for n in (5, 10, 50) for kind in ("masks", "pretrained"))
FIRST, PRETRAINING = "first_40", "pretraining"
ARMS = ("masks_40", "weak_300", "masks_340", "ranked_80", "random_80", *EFFICIENCY)
MASKS, LABELS, CHOSEN = 40, 300, 40
_EPOCH = 100  # steps; after each, a training can go on
Rows = list[dict[str, Any]]


def shuffled_rows(data: Path, seed: int) -> tuple[Rows, Rows]:
    """Training rows in a seed's order and validation rows, with absolute paths."""
    listing = json.loads((data / "dataset.json").read_text())
    for row in (*listing["training"], *listing["validation"]):
        row |= {
            key: str((data / row[key]).resolve())
            for key in ("image", "label", "edema", "anatomy")
            if key in row
        }
    order = np.random.default_rng(seed).permutation(len(listing["training"]))
    return [listing["training"][n] for n in order], listing["validation"]


def write_list(folder: Path, training: Rows, validation: Rows) -> Path:
    """A manifest of these rows."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("EDH", "IPH", "IVH", "SAH", "SDH")
    mapping = {str(n): name for n, name in enumerate(names, 1)}
    record: dict[str, Any] = {"schema": "monai-ich/manifest/1", "name": folder.name}
    record |= {"label_mapping": mapping, "training": training, "validation": validation}
    (folder / "dataset.json").write_text(json.dumps(record))
    return folder


def without_masks(rows: Rows) -> Rows:
    """The same heads with what an exam's label tells of them."""
    return [{k: v for k, v in row.items() if k not in ("label", "edema")} for row in rows]


def prepare(arm: str, seed: int, data: Path, work: Path) -> list[str]:
    """Write an arm's lists; the options that its training needs beside the common ones."""
    rows, validation = shuffled_rows(data, seed)
    if arm == PRETRAINING:
        scans = without_masks(rows[MASKS : MASKS + LABELS])
        return ["--dataset_dir", str(write_list(work / "scans", scans, []))]
    if arm in EFFICIENCY:
        start = _weights(PRETRAINING, 0, work) if arm.startswith("pretrained") else None
        masked, labeled = rows[: int(arm.rpartition("_")[2])], Rows()
    else:
        start = None if arm == FIRST else _weights(FIRST, seed, work)
        masked, labeled = _more_rows(arm, rows[:MASKS], rows[MASKS : MASKS + LABELS], work, seed)
    options = ["--dataset_dir", str(write_list(work / "masks", masked, validation))]
    if labeled:
        options += ["--weak_dir", str(write_list(work / "labels", labeled, validation))]
    if start is not None:
        options += ["--initial_weights", str(start)]
    if arm.startswith("pretrained"):  # hidden windows have other statistics
        options += ["--freeze_after", "0.3"]
    return options


def _more_rows(arm: str, first: Rows, rest: Rows, work: Path, seed: int) -> tuple[Rows, Rows]:
    """Rows with masks and rows with labels alone."""
    if arm == "weak_300":
        return first, without_masks(rest)
    if arm == "masks_340":
        return first + rest, []
    if arm == "random_80":
        return first + rest[:CHOSEN], []
    if arm == "ranked_80":
        return first + _ranked(first, rest, work, seed), []
    return first, []


def _weights(arm: str, seed: int, work: Path) -> Path:
    """Of another arm of this seed."""
    return work.parents[1] / arm / str(seed) / "model.pt"


def _ranked(first: Rows, rest: Rows, work: Path, seed: int) -> Rows:
    pool = write_list(work / "pool", first + without_masks(rest), [])
    chosen = work / "chosen.json"
    if not chosen.is_file():
        command = ["-m", "monai_ich.cli", "manifest", "rank", str(pool / "dataset.json")]
        command += ["-n", str(CHOSEN), "--weights", str(_weights(FIRST, seed, work))]
        done = subprocess.run([sys.executable, *command, "-o", str(chosen)], cwd=ROOT)
        if done.returncode not in (0, 3):  # 3: some are 8-bit pictures, which it does not read
            raise SystemExit("manifest rank failed")
    ids = {row["id"] for row in json.loads(chosen.read_text())["training"]}
    return [row for row in rest if row["id"] in ids]


def train(arm: str, seed: int, data: Path, work: Path, steps: int) -> Path:
    """Train an arm, or go on with it; its weights."""
    weights = work / "model.pt"
    if weights.is_file():
        return weights
    options = prepare(arm, seed, data, work)
    files = [str(BUNDLE / "configs/train.yaml")]
    overlays = {"weak_300": "weak", PRETRAINING: "pretrain"}
    if arm in overlays:
        files.append(str(ROOT / f"configs/training/{overlays[arm]}.yaml"))
    epoch = min(_EPOCH, steps)
    command = ["-m", "monai.bundle", "run", "--config_file", str(files)]
    command += ["--bundle_root", str(BUNDLE), "--output_dir", str(work / "out")]
    command += ["--weights", str(weights), "--seed", str(seed), *options]
    command += ["--epoch_length", str(epoch), "--max_epochs", str(steps // epoch)]
    command += ["--val_interval", str(steps)]  # judged once, in the end
    subprocess.run([sys.executable, *command], check=True, cwd=ROOT)
    return weights


def judge(weights: Path, lists: Path) -> dict[str, float | None]:
    """Mean Dice of each subtype over heads that have it, and the AUC of any over exams."""
    import torch
    from monai.bundle import ConfigParser
    from monai.data.dataset import PersistentDataset

    from monai_ich.agreement.delong import estimate_auc
    from monai_ich.core.labels import Subtype
    from monai_ich.learn.weak import findings_of_voxels
    from monai_ich.parts.findings import pool_findings

    parser = ConfigParser()
    parser.read_config(str(BUNDLE / "configs/train.yaml"))
    parser.update({"bundle_root": str(BUNDLE), "dataset_dir": str(lists)})
    network = parser.get_parsed_content("network_on_device").eval()
    inferer = parser.get_parsed_content("validate#inferer")
    network.load_state_dict(torch.load(weights, weights_only=True))
    rows = parser.get_parsed_content("validate#dataset#data")
    seen = parser.get_parsed_content("validate#preprocessing")  # once for all networks
    heads = PersistentDataset(rows, seen, cache_dir=lists / "cache", weights_only=False)
    dice: dict[str, list[float]] = {s.name: [] for s in Subtype}
    scores, bled = [], []
    for head in heads:
        truth = torch.as_tensor(head["label"])[0]
        with torch.inference_mode():
            logits = inferer(
                torch.as_tensor(head["image"]).as_subclass(torch.Tensor)[None], network
            )
        labels = logits[0].argmax(0)
        for subtype in Subtype:
            true, found = truth == subtype, labels == subtype
            if bool(true.any()):
                both = 2.0 * float((true & found).sum())
                dice[subtype.name].append(both / float(true.sum() + found.sum()))
        exam = pool_findings(findings_of_voxels(logits)[:, :, 0, 0])[0]
        scores.append(-float(exam[0]))
        bled.append(bool(((truth >= 1) & (truth <= len(Subtype))).any()))
    area = estimate_auc(np.array(scores), np.array(bled))
    found_dice = {k: float(np.mean(v)) if v else None for k, v in dice.items()}
    known = [v for v in found_dice.values() if v is not None]
    return {**found_dice, "mean_dice": float(np.mean(known)), "auc_any": area.value}


def main() -> None:
    """Train and judge what the record lacks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--judge", type=Path, metavar="HEADS", help="heads to judge on")
    parser.add_argument("--steps", type=int, default=7500, help="of first_40")
    parser.add_argument("--more", type=int, default=1500, help="of what goes on from it")
    parser.add_argument("--few", type=int, default=1000, help="with 5, 10 and 50 heads")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=(FIRST, *ARMS), default=(FIRST, *ARMS))
    args = parser.parse_args()
    output = args.output.resolve()
    path = output / "learning.json"
    training, validation = shuffled_rows(args.judge or args.data, 0)
    heads = [*training, *validation] if args.judge else validation
    judged = write_list(output / "judged", [], heads)
    steps = (
        {FIRST: args.steps} | dict.fromkeys(ARMS, args.more) | dict.fromkeys(EFFICIENCY, args.few)
    )
    for seed in range(args.seeds):
        for arm in args.only:
            if str(seed) in _read(path).get(arm, {}):
                continue
            if arm.startswith("pretrained"):
                train(PRETRAINING, 0, args.data, output / PRETRAINING / "0", args.few)
            found = judge(train(arm, seed, args.data, output / arm / str(seed), steps[arm]), judged)
            arms = _read(path)  # anew: two of these may run side by side
            arms.setdefault(arm, {})[str(seed)] = found
            path.write_text(json.dumps(arms, indent=1) + "\n")
            print(arm, seed, found)
    record = {"versions": installed_versions(), "heads": len(heads)}
    record |= {"steps": args.steps, "more": args.more, "few": args.few}
    RECORD.write_text(json.dumps(record | {"arms": _read(path)}, indent=1) + "\n")


def _read(path: Path) -> dict[str, dict[str, Any]]:
    return json.loads(path.read_text()) if path.is_file() else {}


if __name__ == "__main__":
    main()
