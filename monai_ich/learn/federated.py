"""What a federated training leaves in its folder: the weights of each round, whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from monai_ich.core.errors import TrainingError
from monai_ich.parts.handlers import save_aside


def round_path(folder: Path, number: int) -> Path:
    """Where the weights after a round are; round 0 is what all start from."""
    return folder / f"round_{number}.pt"


def save_round(state: Mapping[str, torch.Tensor], folder: Path, number: int) -> None:
    """Write weights, whole or not at all, in single precision: an average loses nothing."""
    values = {name: torch.as_tensor(value).detach().cpu() for name, value in state.items()}
    single = {k: v.float() if v.is_floating_point() else v for k, v in values.items()}
    save_aside(single, round_path(folder, number))


def require_rounds(folder: Path, rounds: int) -> Path:
    """The weights after the last round.

    Raises:
        TrainingError: ``SITE_LOST`` where it is not there.
    """
    done = sum(round_path(folder, n).is_file() for n in range(1, rounds + 1))
    if done < rounds:
        why = (
            f"Round {done + 1} of {rounds} ended without the weights of all sites: go on with "
            f"--initial_weights {round_path(folder, done).name}, those of round {done} are whole."
        )
        raise TrainingError("SITE_LOST", why)
    return round_path(folder, rounds)
