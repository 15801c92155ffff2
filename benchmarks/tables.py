"""The tables of the documentation, from the records: what a page shows is what was measured.

python -m benchmarks.tables        # print them all, to paste into docs/ after a record has changed
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
Record = Mapping[str, Any]


def record(name: str) -> Any:
    """A record as it is."""
    return json.loads((HERE / f"{name}.json").read_text())


def _table(head: Sequence[str], align: str, rows: Iterable[Sequence[str]]) -> str:
    lines = [head, [{"l": "---", "r": "---:"}[letter] for letter in align], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def import_cases(found: Record) -> str:
    """Import beside other readers."""
    from benchmarks.import_cases import table
    from tests.dicom_cases import CASES

    return table([(case, found["cases"][case.name]) for case in CASES])


def import_counts(found: Record) -> str:
    """How many cases each reader gets right."""
    counts = found["right_or_duly_refused"]
    return (
        f"Right or rightly refused, of {len(found['cases'])} cases: "
        f"{', '.join(f'{k} {n}' for k, n in counts.items())}."
    )


def import_speed(found: Record) -> str:
    """Time and memory of import."""
    tools = list(next(iter(found["rows"].values())))
    rows = [
        [name, *("{s:.2f} s, {gb:.2f} GB".format(**row[tool]) for tool in tools)]
        for name, row in found["rows"].items()
    ]
    return _table(["from DICOM", *tools], "l" + "r" * len(tools), rows)


def measurements(found: Record) -> str:
    """Every number beside truth, on true and on predicted masks."""
    true, predicted = (
        {line[0]: line[1:] for line in found["tables"][f"{kind} masks"]}
        for kind in ("true", "predicted")
    )

    def cell(what: str, line: Sequence[str] | None) -> str:
        if line is None:
            return ""
        n, seen, _ = line
        seen = seen.replace("%", " %").replace("median", "median error")
        return f"{seen} ({n})" if what.startswith("thickness") and "mean error" in what else seen

    rows = [
        [what, cell(what, true.get(what)), cell(what, line), line[-1]]
        for what, line in predicted.items()
    ]
    return _table(["what", "true masks", "predicted masks", "target"], "llll", rows)


_WAYS = {  # a row of the record to its words, and whether its ratio to ours is told
    "analyze, cold": ("`monai-ich analyze`, DICOM to the last file, cold", False),
    "analyze, warm": ("the same, networks loaded (warm)", False),
    "labels only, warm": ("NIfTI to labels of both networks, warm", False),
    "stock MONAI, labels only, warm": ("the same by stock MONAI", True),
    "nnU-Net v2, one network, labels only, warm": ("one network, nnU-Net v2", True),
}


def analyze(found: Record) -> str:
    """Time and memory of an analysis."""
    studies = found["studies"]
    rows = []
    for name, (words, compared) in _WAYS.items():
        cells = [
            "{wall_s:.1f} s, {peak_gb:.1f} GB".format(**study["rows"][name])
            for study in studies.values()
        ]
        if compared:
            times = [study["times_ours"][name]["wall_s"] for study in studies.values()]
            cells = [f"{cell}: **{ratio} times**" for cell, ratio in zip(cells, times, strict=True)]
        rows.append([words, *cells])
    return _table(["what runs", *studies], "lrr", rows)


def training(found: Record) -> str:
    """Training throughput of both networks."""
    rows = []
    for name, words in {"before": "full resolution", "shipped": "folded (ships)"}.items():
        net = found["networks"][name]
        window = " x ".join(map(str, net["window"]))
        numbers = [
            f"{net['ms_a_window']:.0f}",
            f"{net['windows_per_s']:.1f}",
            f"{100 * net['computing_share']:.0f} %",
            f"{100 * net['convolution_share']:.0f} %",
        ]
        rows.append([words, window, *numbers])
    heads = ["network", "window, voxels", "ms a window", "windows a second"]
    return _table([*heads, "time computing", "in convolutions"], "llrrrr", rows)


CHANGED, HIGHER = 0.5, 3.0  # what a heat map must pass, see `benchmarks.heatmaps`
_HEAT_MAPS = {"occlusion": "occlusion, cubes of 30 mm"}


def heatmaps(found: Record) -> str:
    """Which heat map to believe."""
    rows = []
    for name in dict.fromkeys(row["method"] for row in found["rows"]):
        mine = [row for row in found["rows"] if row["method"] == name]
        alike, higher = max(abs(row["alike"]) for row in mine), min(row["higher"] for row in mine)
        hits = sum(row["hit"] for row in mine)
        passes = alike < CHANGED and higher >= HIGHER and hits > len(mine) / 2
        randomly = median(row["higher_randomized"] for row in mine)
        numbers = [f"{alike:.2f}", f"{higher:.1f} ({randomly:.1f})", f"{hits} of {len(mine)}"]
        seconds = f"{median(row['cpu_s'] for row in mine):.1f}"
        rows.append([_HEAT_MAPS.get(name, name), *numbers, seconds, "yes" if passes else "no"])
    blood = "times higher in blood, least (random order, median)"
    head = ["method", "correlation, most", blood, "highest in blood", "CPU seconds", "passes"]
    return _table(head, "lrrrrl", rows)


def ablation(found: Record) -> str:
    """Networks, grids and input side by side."""
    kinds = ("any", "EDH", "IPH", "IVH", "SAH", "SDH")
    rows = [
        [
            name,
            *(f"{row['dice'][kind]:.2f}" for kind in kinds),
            str(row["train_s"]),
            f"{row['network_s']:.1f}",
        ]
        for name, row in found.items()
    ]
    return _table(["variant", *kinds, "training, s", "network, s a head"], "lrrrrrrrr", rows)


def study(found: Record) -> str:
    """A study that was killed."""
    killed, workers = found["done_when_killed"], found["workers"]
    return (
        f"{found['scans']} synthetic scans, two of them broken, on 2 CPU cores with {workers} "
        "worker. A worker was "
        f"killed, then the whole study when {killed} scans were done. After it was resumed: "
        f"{found['rows']} rows, "
        f"{found['doubled']} doubled"
    )


def kills(found: Record) -> str:
    """Runs that were killed."""
    moments, held = found["moments"], found["held"]
    late = "once" if moments["too late"] == 1 else f"{moments['too late']} times"
    return (
        f"`analyze` was killed {found['kills']} times onto earlier results: {moments['any']} "
        "times at any moment, "
        f"{moments['writing']} times while it wrote, {moments['placing']} times while it placed "
        "the results, and "
        f"{late} too late. The folder held the old results whole "
        f"{held['old']} times and the new ones whole {held['new']} times. Faults: "
        f"{len(found['faults'])}."
    )


def runtimes(found: Record) -> str:
    """What the networks cost with each runtime, and to load them."""
    names = {"torch": "PyTorch", "openvino": "OpenVINO", "onnx": "ONNX Runtime"}
    networks = found["networks"]
    rows = [
        [
            names[by],
            *(f"{network[by]['cpu_s']:.2f}" for network in networks.values()),
            f"{load_s:.2f}",
            f"{min(network[by]['dice'] for network in networks.values()):.3f}",
        ]
        for by, load_s in found["load_cpu_s"].items()
    ]
    return _table(["CPU seconds", *networks, "loading both", "lowest Dice"], "lrrrr", rows)


def classification(found: Record) -> str:
    """What the second reading and the masks know of exams, and the former of slices."""

    def cell(area: Sequence[float]) -> str:
        value, *ends = area
        return f"{value:.3f}" + (f" ({ends[0]:.3f} to {ends[1]:.3f})" if ends else "")

    rows = [
        [name, str(exam["present"]), cell(exam["second"]), cell(exam["second_hu"]),
         cell(exam["masks"]), cell(found["slice_auc"][name])]
        for name, exam in found["exam_auc"].items()
    ]  # fmt: skip
    head = [
        f"of {found['heads']} heads",
        "have it",
        "exam, second reading",
        f"of {found['heads_hu']} in HU",
        "exam, masks",
        "slices",
    ]
    return _table(head, "lrrrrr", rows)


_ARMS = {
    "first_40": "40 masks, where all others begin",
    "masks_40": "40 masks, on",
    "weak_300": "40 masks and 300 exam labels",
    "masks_340": "340 masks",
    "ranked_80": "40 masks and 40 ranked ones",
    "random_80": "40 masks and 40 random ones",
}
_FEW = {
    f"{start}_{n}": f"{n} masks, {words}"
    for n in (5, 10, 50)
    for start, words in (("masks", "from nothing"), ("pretrained", "pretrained"))
}


def learning(found: Record) -> str:
    """What labels are worth beside masks: each seed, then the mean."""
    return _learned(found, _ARMS)


def efficiency(found: Record) -> str:
    """What pretraining is worth to networks that learn from few heads."""
    return _learned(found, _FEW)


def _learned(found: Record, names: Mapping[str, str]) -> str:
    rows = []
    for arm, name in names.items():
        seeds = [found["arms"][arm][seed] for seed in sorted(found["arms"].get(arm, ()))]
        if not seeds:
            continue
        cells = []
        for figure in ("mean_dice", "auc_any"):
            values = [seed[figure] for seed in seeds]
            each = ", ".join(f"{v:.3f}" for v in values)
            cells += [each, f"{sum(values) / len(values):.3f}"]
        rows.append([name, *cells])
    head = ["trained on", "Dice, each seed", "mean", "AUC of any, each seed", "mean"]
    return _table(head, "lrrrr", rows)


def service(found: Record) -> str:
    """C-STORE when idle, and a thousand studies."""
    idle, load = found["idle"], found["load"]
    return (
        f"One sender, {idle['images']} images, idle: C-STORE takes {idle['c_store_ms']['p50']:.0f} "
        f"ms in the middle and {idle['c_store_ms']['p99']:.0f} ms at the 99th percentile. "
        f"{load['studies']:,} studies of 30 images by {load['senders']} senders: {load['lost']} "
        f"images lost, {load['images_per_second']:.0f} images a second, C-STORE at the 99th "
        f"percentile {load['c_store_ms']['p99']:.0f} ms, memory of the receiver "
        f"{load['memory']:.2f} times that after a tenth. After `kill -9` of every process it "
        f"answered again in {load['recovery_s']:.1f} s."
    )


PAGES: Mapping[
    str, Sequence[tuple[str, Callable[[Record], str]]]
] = {  # page to the records and what it shows of them
    "benchmarks/import.md": (
        ("import_cases", import_cases),
        ("import_cases", import_counts),
        ("import_speed", import_speed),
    ),
    "benchmarks/measurements.md": (("measurements", measurements),),
    "benchmarks/speed.md": (("analyze", analyze), ("training", training)),
    "benchmarks/index.md": (("study", study), ("kills", kills), ("service", service)),
    "explanation/speed.md": (("runtimes", runtimes),),
    "explanation/heat-maps.md": (("heatmaps", heatmaps),),
    "experiments.md": (("ablation", ablation),),
    "how-to/learn.md": (("learning", learning),),
    "explanation/second-reading.md": (("classification", classification),),
    "../bundles/ich_classification/docs/README.md": (("classification", classification),),
}


if __name__ == "__main__":
    for page, tables in PAGES.items():
        for name, write in tables:
            print(f"docs/{page}, from {name}.json\n\n{write(record(name))}\n")
