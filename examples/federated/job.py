"""A federated training in NVFlare's simulator: each data set is a site in a process of its own.

    python examples/federated/job.py north=DATA_A south=DATA_B -o OUT [--initial_weights W]

OUT gets the weights of each round (``round_1.pt``...); ``OUT/SITE/sent`` a copy of what each site
sent. The same `one_site.py` and `FedAvgOfAllSites` run in an NVFlare federation.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import torch
from fedavg import FedAvgOfAllSites
from monai.bundle import ConfigParser
from nvflare.job_config.api import FedJob
from nvflare.job_config.script_runner import ScriptRunner

from monai_ich.bundle import find_bundle
from monai_ich.core.errors import BundleError, IchError, InputError, ManifestError, OutputError
from monai_ich.learn.federated import require_rounds, save_round


def initial_state(weights: Path | None) -> dict[str, torch.Tensor]:
    """State dict that all sites start from: a file's, or a network that knows nothing.

    Raises:
        BundleError: ``BUNDLE_BROKEN``.
    """
    parser = ConfigParser()
    parser.read_config(str(find_bundle("ich_segmentation") / "configs" / "train.yaml"))
    network: torch.nn.Module = parser.get_parsed_content("network_def")
    if weights is not None:
        try:
            network.load_state_dict(torch.load(weights, weights_only=True))
        except Exception as error:
            why = "The --initial_weights are missing or do not fit the network."
            raise BundleError("BUNDLE_BROKEN", why) from error
    return network.state_dict()


def sites_of(words: list[str]) -> dict[str, Path]:
    """Name and data set of each site, from ``NAME=DATA``.

    Raises:
        InputError: ``USAGE``.
    """
    pairs = [word.partition("=") for word in words]
    sites = {name: Path(data).resolve() for name, _, data in pairs}
    is_named = all(re.fullmatch(r"[A-Za-z0-9_-]+", name) and data for name, _, data in pairs)
    if len(sites) < len(words) or not is_named:
        message = "Each site needs a name of its own, of letters and digits, as in north=DATA."
        raise InputError("USAGE", message, exit_code=2)
    return sites


def refuse(sites: dict[str, Path], out: Path, rounds: int) -> None:
    """Raise what cannot be run, before anything is.

    Raises:
        IchError: ``USAGE``, ``NO_DATA_LIST``, ``OUTPUT_EXISTS``.
    """
    if rounds < 1:
        raise InputError("USAGE", "--rounds must be 1 or more.", exit_code=2)
    for name, data in sites.items():
        if not (data / "dataset.json").is_file():
            raise ManifestError("NO_DATA_LIST", f"The data set of {name} has no dataset.json.")
    if any(" " in str(path) for path in (out, *sites.values())):
        raise InputError("USAGE", "NVFlare takes no path with a space.", exit_code=2)
    if out.exists() and any(out.iterdir()):  # rounds of another training
        raise OutputError("OUTPUT_EXISTS", "The output folder is not empty: choose another one.")


def simulate(sites: dict[str, Path], out: Path, args: argparse.Namespace) -> Path:
    """Run all rounds; the weights after the last one.

    Raises:
        TrainingError: ``SITE_LOST``.
    """
    save_round(initial_state(args.initial_weights), out, 0)
    job = FedJob(name="ich", min_clients=len(sites))
    job.set_app_packages(["monai_ich", "torch"])  # installed at each site
    job.to_server(FedAvgOfAllSites(str(out), num_clients=len(sites), num_rounds=args.rounds))
    for name, data in sites.items():
        words = ["--dataset_dir", data, "--output_dir", out / name]
        words += ["--rounds", args.rounds, "--local_epochs", args.local_epochs]
        words += ["--epoch_length", args.epoch_length] if args.epoch_length else []
        script = str(Path(__file__).resolve().with_name("one_site.py"))
        job.to(ScriptRunner(script, " ".join(map(str, words))), name)
    job.simulator_run(str(out / "nvflare"), threads=len(sites))
    return require_rounds(out, args.rounds)


def main() -> int:
    """Parse, simulate, print where the weights are."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sites", nargs="+", metavar="NAME=DATA")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--local_epochs", type=int, default=1, help="of a round")
    parser.add_argument("--epoch_length", type=int, help="steps of an epoch")
    parser.add_argument("--initial_weights", type=Path)
    args = parser.parse_args()
    out = args.output.resolve()
    try:
        sites = sites_of(args.sites)
        refuse(sites, out, args.rounds)
        print(f"wrote {simulate(sites, out, args)}")
    except IchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
