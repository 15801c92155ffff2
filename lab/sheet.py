"""``make synth-sheet``: contact sheets of synthetic heads, to look at before anything is trained on
them.

One sheet of heads at random, one for each subtype, one of heads without blood.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from lab.tile import Tile, draw_tile, make_tile
from monai_ich.core.labels import Subtype, label_of
from monai_ich.synth.case import HeadCase
from monai_ich.synth.draw import draw_case
from monai_ich.synth.parallel import map_jobs

LEAST_ML = 1.0
_ROUNDS = 5  # of drawing again where a head had no room for the blood that was asked for
_PAIRS_A_ROW = 4
_LOG = logging.getLogger(__name__)


def asks_for(case: HeadCase, subtype: Subtype) -> bool:
    """Whether a case, not yet synthesized, asks for at least 1 mL of a subtype."""
    return sum(b.volume_ml for b in case.hemorrhages if b.subtype is subtype) >= LEAST_ML


def seeds_where(holds: Callable[[HeadCase], bool], start: int, used: set[int]) -> Iterator[int]:
    """Seeds from `start` on whose cases `holds`, without end; those in `used` are passed over, new
    ones added.
    """
    for seed in itertools.count(start):
        if seed not in used and holds(draw_case(seed)):
            used.add(seed)
            yield seed


def subtype_tiles(
    subtype: Subtype, seeds: Iterator[int], count: int, workers: int | None = None
) -> list[Tile]:
    """Tiles of heads that truly hold 1 mL of the subtype: a head without room for it is replaced by
    the next.
    """
    tiles: list[Tile] = []
    for _ in range(_ROUNDS):
        jobs = [(seed, subtype) for seed in itertools.islice(seeds, count - len(tiles))]
        tiles += [
            t for t in map_jobs(make_tile, jobs, workers) if t.volume_ml[subtype.name] >= LEAST_ML
        ]
        if len(tiles) == count:
            break
    return tiles


def render_sheet(
    path: Path, tiles: Sequence[Tile], title: str, subtype: Subtype | None = None
) -> None:
    """Write a PNG: each head twice side by side, plain and with its labels outlined, all to one
    scale.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = max(1, -(-len(tiles) // _PAIRS_A_ROW))
    height = 2.55 * rows + 0.4
    figure = Figure(figsize=(4.1 * _PAIRS_A_ROW, height), facecolor="black")
    FigureCanvasAgg(figure)
    axes = figure.subplots(
        rows, 2 * _PAIRS_A_ROW, squeeze=False, gridspec_kw={"wspace": 0.02, "hspace": 0.08}
    )
    figure.subplots_adjust(left=0.003, right=0.997, bottom=0.003, top=1.0 - 0.52 / height)
    for axis in axes.ravel():
        axis.axis("off")
    for n, tile in enumerate(tiles):
        row, column = divmod(n, _PAIRS_A_ROW)
        draw_tile(axes[row, 2 * column], axes[row, 2 * column + 1], tile, subtype)
    top = 1.0 - 0.2 / height
    figure.text(0.005, top, title, color="white", fontsize=10, va="center")
    for n, kind in enumerate(Subtype):
        color = tuple(c / 255 for c in label_of(kind).color)
        figure.text(0.76 + 0.045 * n, top, f"■ {kind.name}", color=color, fontsize=9, va="center")
    figure.savefig(path, dpi=110, facecolor="black")


def write_sheets(
    folder: Path, *, cases: int = 24, seed: int = 0, workers: int | None = None
) -> Iterator[Path]:
    """Write ``random.png``, ``edh.png`` ... ``sdh.png`` and ``none.png``; yields each as it is
    done.

    No head is on two sheets.
    """
    folder.mkdir(parents=True, exist_ok=True)
    used: set[int] = set()

    def plain(holds: Callable[[HeadCase], bool]) -> list[Tile]:
        seeds: Iterable[int] = itertools.islice(seeds_where(holds, seed, used), cases)
        return list(map_jobs(make_tile, [(s, None) for s in seeds], workers))

    window = (
        "brain window, level 40, width 80; seed · slice thickness · volume · midline shift "
        "in mm, + to the right"
    )
    render_sheet(
        folder / "random.png",
        plain(lambda case: True),
        f"Random heads, slice with most blood; {window}",
    )
    yield folder / "random.png"
    for subtype in Subtype:
        seeds = seeds_where(lambda case, kind=subtype: asks_for(case, kind), seed, used)  # type: ignore[misc]
        path = folder / f"{subtype.name.lower()}.png"
        tiles = subtype_tiles(subtype, seeds, cases, workers)
        render_sheet(
            path, tiles, f"{label_of(subtype).name}, slice with most of it; {window}", subtype
        )
        yield path
    render_sheet(
        folder / "none.png",
        plain(lambda case: not case.hemorrhages),
        f"Heads without blood; {window}",
    )
    yield folder / "none.png"


def main(argv: list[str] | None = None) -> int:
    """Write the sheets and say where they are."""
    parser = argparse.ArgumentParser(prog="python -m lab.sheet", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/sheet"))
    parser.add_argument("--cases", type=int, default=24, help="heads on a sheet")
    parser.add_argument("--seed", type=int, default=0, help="of the first head")
    parser.add_argument("--workers", type=int, help="processes (default: one a core)")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for path in write_sheets(args.output, cases=args.cases, seed=args.seed, workers=args.workers):
        _LOG.info("%s", path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
