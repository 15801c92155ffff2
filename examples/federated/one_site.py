"""One site of a federated training: NVFlare starts it there. It trains on the site's own scans and
sends weights and the number of its steps, nothing else; a copy of what it sent is kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import nvflare.client as flare
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems, FlStatistics
from monai.fl.utils.exchange_object import ExchangeObject
from nvflare.apis.fl_constant import FLMetaKey

from monai_ich.bundle import find_bundle
from monai_ich.core.shipped import shipped
from monai_ich.learn.federated import save_round


def prepare(args: argparse.Namespace, site: str) -> MonaiAlgo:
    """The bundle's training, ready for its first round."""
    overlay = shipped("configs") / "federated" / "train.yaml"
    settings: dict[str, Any] = {
        "dataset_dir": str(args.dataset_dir),
        "output_dir": str(args.output_dir),
        "rounds": args.rounds,
        "local_epochs": args.local_epochs,
    }
    if args.epoch_length:
        settings["epoch_length"] = args.epoch_length
    algo = MonaiAlgo(
        str(find_bundle("ich_segmentation")),
        local_epochs=args.local_epochs,
        send_weight_diff=False,
        config_train_filename=["configs/train.yaml", str(overlay)],
        train_kwargs=settings,
        config_evaluate_filename=None,
    )
    algo.initialize({ExtraItems.CLIENT_NAME: site})
    return algo


def main() -> None:
    """Train as often as the server asks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset_dir", type=Path, required=True)
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--local_epochs", type=int, default=1)
    parser.add_argument("--epoch_length", type=int)
    args = parser.parse_args()
    flare.init()
    algo = prepare(args, flare.get_site_name())
    while flare.is_running():
        received = flare.receive()
        if received is None:
            break
        algo.train(ExchangeObject(weights=received.params))
        update = algo.get_weights()
        save_round(update.weights, args.output_dir / "sent", received.current_round + 1)
        steps = update.statistics[FlStatistics.NUM_EXECUTED_ITERATIONS]
        meta = {FLMetaKey.NUM_STEPS_CURRENT_ROUND: steps}
        flare.send(flare.FLModel(params=update.weights, meta=meta))


if __name__ == "__main__":
    main()
