"""Federated averaging by the server: each round counts with all sites, or not at all."""

from __future__ import annotations

from pathlib import Path

import torch
from nvflare.app_common.abstract.fl_model import FLModel
from nvflare.app_common.workflows.fedavg import FedAvg

from monai_ich.learn.federated import round_path, save_round


class FedAvgOfAllSites(FedAvg):
    """NVFlare's `FedAvg`, weighted by the steps of each site, with state dicts of PyTorch as files.

    It ends where a site fails; the weights of the round before are whole.

    Args:
        output_dir: holds the weights to start from, and gets those of each round.
        num_clients, num_rounds: sites and rounds; NVFlare reads these names.
    """

    def __init__(self, output_dir: str, num_clients: int, num_rounds: int) -> None:
        super().__init__(num_clients=num_clients, num_rounds=num_rounds, persistor_id="")
        self.output_dir = output_dir

    def load_model(self) -> FLModel:
        """The weights that all start from."""
        path = round_path(Path(self.output_dir), 0)
        state = torch.load(path, map_location="cpu", weights_only=True)
        return FLModel(params={name: value.numpy() for name, value in state.items()})

    def save_model(self, model: FLModel) -> None:
        """The average of a round."""
        save_round(model.params, Path(self.output_dir), self.current_round + 1)
