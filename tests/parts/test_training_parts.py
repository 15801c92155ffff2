"""The parts that the training configs name."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.inferers import SimpleInferer

from monai_ich.core.errors import TrainingError
from monai_ich.core.labels import EDEMA, unlabeled
from monai_ich.parts.handlers import (
    CosineBudget,
    FreezeStatistics,
    MovingAverage,
    Resume,
    SayMachine,
    StopAtNaN,
    save_aside,
    save_weights,
)
from monai_ich.parts.inferers import AutocastInferer, describe_machine
from monai_ich.parts.losses import HemorrhageLoss, MidlineLoss


def trainer(steps: list[float], budget: CosineBudget, optimizer: torch.optim.Optimizer) -> Engine:
    def step(engine: Engine, batch: int) -> None:
        steps.append(optimizer.param_groups[0]["lr"])

    engine = Engine(step)
    budget.attach(engine)
    return engine


@pytest.mark.slow
def test_learning_rate_climbs_then_falls_to_nothing_over_all_iterations() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    rates: list[float] = []
    trainer(rates, CosineBudget(optimizer, warmup=10), optimizer).run(range(100), max_epochs=2)
    assert len(rates) == 200 and rates[0] < 0.2 and max(rates) > 0.95
    assert rates[10:] == sorted(rates[10:], reverse=True) and rates[-1] == pytest.approx(1e-3)


def test_rounds_share_one_fall_of_the_learning_rate() -> None:
    """Two rounds of an epoch each are one training of two epochs."""
    rates: list[list[float]] = []
    for epochs in ((1, 2), (2,)):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        rates.append([])
        engine = trainer(rates[-1], CosineBudget(optimizer, warmup=10, epochs=2), optimizer)
        for end in epochs:
            engine.state.max_epochs = end
            engine.run(range(100), max_epochs=end)
    assert rates[0] == rates[1] and len(rates[0]) == 200


def test_training_ends_when_its_minutes_are_spent_resumed_ones_included() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    budget = CosineBudget(optimizer, max_minutes=1.0)
    budget.load_state_dict({"spent_s": 61.0})
    rates: list[float] = []
    trainer(rates, budget, optimizer).run(range(100), max_epochs=2)
    assert len(rates) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("after", "steps"), [(0.0, 0), (0.5, 60), (1.0, 100)])
def test_statistics_of_batch_norm_stand_still_late_in_training(
    after: float, steps: int, compiled: bool
) -> None:
    plain = torch.nn.Sequential(torch.nn.BatchNorm3d(1))
    network = torch.compile(plain, backend="eager") if compiled else plain
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-9)
    budget = CosineBudget(optimizer)

    def step(engine: Engine, batch: int) -> None:
        network.train()  # as MONAI's trainer does before each step
        means.append(float(network(torch.full((1, 1, 2, 2, 2), float(batch))).mean()))

    means: list[float] = []
    engine = Engine(step)
    budget.attach(engine)
    FreezeStatistics(network, budget, after, windows=10).attach(engine)
    engine.run(range(1, 101))
    by_itself = [abs(mean) < 1e-3 for mean in means]  # an even window less its own mean is 0
    assert all(by_itself[: max(0, steps - 1)]) and not any(by_itself[steps + 1 :])
    if after == 0.5:  # the mean of the ten steps after the first half, 50 to 59 or 51 to 60
        assert float(plain[0].running_mean) == pytest.approx(55.0, abs=1.0)  # type: ignore[arg-type]


def test_a_training_that_was_frozen_stays_so_and_its_average_has_the_same_statistics() -> None:
    network, average = (torch.nn.Sequential(torch.nn.BatchNorm3d(1)) for _ in range(2))
    budget = CosineBudget(torch.optim.SGD(network.parameters(), lr=1e-9))
    first = FreezeStatistics(network, budget, 0.5, average=average, windows=4)

    def run(handler: FreezeStatistics, done: float, value: float) -> None:
        budget.done = done
        network.train()
        handler._step()
        network(torch.full((1, 1, 2, 2, 2), value))

    for value in (1.0, 2.0):
        run(first, 0.4, value)
    for value in (10.0, 20.0, 30.0, 40.0, 90.0):
        run(first, 0.6, value)
    assert first.state_dict() == {"frozen": True}
    for norm in (network[0], average[0]):
        assert float(norm.running_mean) == pytest.approx(25.0)  # type: ignore[arg-type]
    resumed = FreezeStatistics(network, budget, 1.0, average=average)
    resumed.load_state_dict({"frozen": True})
    run(resumed, 0.1, 500.0)
    assert resumed.frozen and float(network[0].running_mean) == pytest.approx(25.0)  # type: ignore[arg-type]


def test_shipped_weights_hold_large_variances(tmp_path: Any) -> None:
    state = {
        "kernel": torch.rand(2, 3, 1, 1, 1),
        "running_var": torch.tensor([2e11]),
        "count": torch.tensor(7),
    }
    save_weights(state, tmp_path / "model.pt")
    found = torch.load(tmp_path / "model.pt", weights_only=True)
    assert found["kernel"].dtype == torch.float16 and found["running_var"].item() == pytest.approx(
        2e11
    )
    assert found["count"].item() == 7


def test_a_kernel_of_two_names_is_shipped_once(tmp_path: Any) -> None:
    kernel = torch.rand(64, 64, 3, 3, 3)
    for name, state in (("one", {"a": kernel}), ("two", {"a": kernel, "b": kernel})):
        save_weights(state, tmp_path / f"{name}.pt")
    one, two = ((tmp_path / f"{name}.pt").stat().st_size for name in ("one", "two"))
    assert two < 1.01 * one + 1000


def test_moving_average_of_constant_weights_is_these_weights() -> None:
    network, average = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    handler = MovingAverage(network, average, decay=0.9)
    for step in range(1, 300):
        handler._step(SimpleNamespace(state=SimpleNamespace(iteration=step)))  # type: ignore[arg-type]
    np.testing.assert_allclose(average.weight.numpy(), network.weight.detach().numpy(), atol=1e-6)
    assert not average.weight.requires_grad and network.weight.requires_grad


def test_resume_goes_on_after_the_last_whole_epoch(tmp_path: Any) -> None:
    network = torch.nn.Linear(1, 1)

    def run(epochs: int, seen: list[int]) -> None:
        engine = Engine(lambda engine, batch: seen.append(engine.state.epoch))
        Resume(tmp_path / "checkpoint.pt", {"network": network}).attach(engine)
        engine.run(range(3), max_epochs=epochs)

    first: list[int] = []
    run(2, first)
    second: list[int] = []
    run(4, second)
    assert first == [1, 1, 1, 2, 2, 2] and second == [3, 3, 3, 4, 4, 4]


def test_a_training_that_has_all_its_epochs_says_that_nothing_is_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        engine = Engine(lambda engine, batch: None)
        Resume(tmp_path / "checkpoint.pt", {"network": torch.nn.Linear(1, 1)}).attach(engine)
        engine.run(range(3), max_epochs=2)
    assert [r.levelname for r in caplog.records if "nothing is left" in r.message] == ["WARNING"]


def test_a_loss_that_is_no_number_ends_the_training_with_step_and_case(tmp_path: Path) -> None:
    network = torch.nn.Linear(1, 1)

    def step(engine: Engine, batch: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"loss": torch.tensor(float("nan") if engine.state.iteration == 5 else 1.0)}]

    engine = Engine(step)
    Resume(tmp_path / "checkpoint.pt", {"network": network}).attach(engine)
    StopAtNaN().attach(engine)
    with pytest.raises(TrainingError, match=r"LOSS_NOT_FINITE.*step 5 \(cases: head_7, head_9\)"):
        engine.run([{"case": ["head_7", "head_9"]}] * 3, max_epochs=4)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["iteration"] == 3, (
        "the last whole epoch"
    )


def test_a_full_disk_leaves_the_last_checkpoint_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint.pt"
    save_aside({"step": 1}, path)

    def full(state: Any, file: Path) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match="DISK_FULL"):
        save_aside({"step": 2}, path)
    assert torch.load(path, weights_only=True) == {"step": 1} and list(tmp_path.iterdir()) == [path]


def test_a_training_says_what_the_machine_is_good_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert "float32" in describe_machine("cpu") and "slower" in describe_machine("cpu")
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    engine = Engine(lambda engine, batch: None)
    SayMachine("cpu").attach(engine)
    with caplog.at_level("INFO"):
        engine.run([0], max_epochs=1)
    assert "training on 1 CPU core with AMX" in caplog.text


@pytest.mark.parametrize("enabled", [True, False])
def test_autocast_gives_float32_close_to_the_network(enabled: bool) -> None:
    network, x = torch.nn.Conv3d(1, 4, 3, padding=1), torch.rand(1, 1, 8, 8, 8)
    with torch.no_grad():
        found = AutocastInferer(SimpleInferer(), enabled=enabled)(x, network)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, network(x), atol=2e-2 if enabled else 1e-6, rtol=0)


def _scores(labels: torch.Tensor) -> torch.Tensor:
    return 8.0 * torch.nn.functional.one_hot(labels[:, 0].long(), 7).movedim(-1, 1).float()


def test_a_midline_out_of_place_costs_more_than_as_many_voxels_elsewhere() -> None:
    labels = torch.zeros(1, 1, 40, 40, 2, dtype=torch.uint8)
    labels[:, :, 4:22, 4:36], labels[:, :, 22:36, 4:36] = 1, 2  # displaced by 2 voxels
    middle, thin = labels.clone(), labels.clone()
    middle[:, :, 20:22, 4:36], thin[:, :, 4:6, 4:36] = 2, 2
    loss = MidlineLoss(reach=3)
    right = loss(_scores(labels), labels)
    assert loss(_scores(middle), labels) - right > 3 * (loss(_scores(thin), labels) - right) > 0
    assert loss.whole(_scores(middle), labels) == pytest.approx(
        float(loss.whole(_scores(thin), labels)), rel=0.01
    )
    background = torch.zeros_like(labels)
    assert torch.isfinite(loss(_scores(labels), background)), "a window without an interface"


def test_a_wrong_subtype_costs_as_much_in_a_small_bleed_as_in_a_large_one() -> None:
    labels = torch.zeros(1, 1, 40, 40, 4, dtype=torch.uint8)
    labels[..., 4:8, 4:8, :], labels[..., 12:36, 12:36, :] = 5, 1  # 64 and 2304 voxels
    small, large, missed = labels.clone(), labels.clone(), labels.clone()
    small[labels == 5], large[labels == 1], missed[labels == 5] = 1, 5, 0
    loss = HemorrhageLoss()
    right = loss(_scores(labels), labels)
    assert right < 0.02
    of_small, of_large = loss(_scores(small), labels) - right, loss(_scores(large), labels) - right
    assert of_small > 1.0 and of_large == pytest.approx(float(of_small), rel=0.2)
    assert loss(_scores(missed), labels) - right > 0.2


def test_weights_of_the_loss_decide_between_missing_blood_and_calling_it_by_another_name() -> None:
    labels = torch.zeros(1, 1, 16, 16, 4, dtype=torch.uint8)
    labels[:, :, 4:8, 4:8] = 5
    missed, renamed = torch.zeros_like(labels), torch.where(labels == 5, 1, 0)

    def cost(found: torch.Tensor, **weights: float) -> float:
        loss = HemorrhageLoss(**weights)
        return float(loss(_scores(found), labels) - loss(_scores(labels), labels))

    assert cost(renamed, subtype_weight=0.3) < 0.5 * cost(renamed)
    assert cost(missed, background_weight=0.1) > 1.5 * cost(missed)


def test_what_a_scan_does_not_label_costs_nothing() -> None:
    labels = torch.zeros(1, 1, 16, 16, 4, dtype=torch.uint8)
    labels[:, :, 4:8, 4:8], found = 2, labels.clone()
    found[labels == 2], found[:, :, 12:] = 2, 5
    loss = HemorrhageLoss()
    partly = torch.where(labels == 0, unlabeled([5, EDEMA]), labels)
    assert loss(_scores(found), partly) == pytest.approx(
        float(loss(_scores(labels), partly)), abs=0.02
    )
    assert loss(_scores(found), labels) > loss(_scores(labels), labels) + 1.0


def test_edema_is_learned_apart_from_blood() -> None:
    labels = torch.zeros(1, 1, 16, 16, 4, dtype=torch.uint8)
    labels[:, :, 4:8, 4:8], labels[:, :, 8:10, 4:8] = 2, EDEMA
    dry, wrong = torch.where(labels == EDEMA, 0, labels), torch.where(labels == EDEMA, 2, labels)
    right, without = HemorrhageLoss()(_scores(labels), labels), HemorrhageLoss(edema_weight=0.0)
    assert HemorrhageLoss()(_scores(dry), labels) > right + 0.15
    assert without(_scores(dry), labels) == pytest.approx(
        float(without(_scores(labels), labels)), abs=1e-3
    )
    assert without(_scores(wrong), labels) > without(_scores(labels), labels) + 0.3, (
        "edema is no blood"
    )


def test_a_window_without_blood_costs_what_is_found_in_it() -> None:
    empty = torch.zeros(1, 1, 8, 8, 8, dtype=torch.uint8)
    some = empty.clone()
    some[..., :2] = 3
    scores = _scores(some).requires_grad_()
    loss = HemorrhageLoss()(scores, empty)
    loss.backward()
    assert (
        loss > 1.0 > 0.1 > HemorrhageLoss()(_scores(empty), empty)
        and torch.isfinite(scores.grad).all()
    )
