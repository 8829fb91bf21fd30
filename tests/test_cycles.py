"""Cycles of the learning rate, and the mean of the weights at their ends."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from simteacher.config import Objectives, Optimiser
from simteacher.cycles import CycleMean, cycle
from simteacher.data.stream import Stream
from simteacher.objectives.compose import Plan
from simteacher.train import Stage, rate, train_stage
from tests.tiny import BUDGET, PLAIN, SPACE, fabric, network, run_dir, source


@pytest.mark.parametrize(("steps", "cycles"), [(10, 1), (10, 2), (11, 3), (3, 3), (2, 5)])
def test_every_step_lies_in_one_cycle(steps: int, cycles: int) -> None:
    found = [cycle(s, steps, cycles) for s in range(steps)]
    starts = [i for i, (at, _) in enumerate(found) if at == 0]
    assert starts[0] == 0 and len(starts) == min(steps, cycles)
    for start, end in zip(starts, [*starts[1:], steps], strict=True):
        assert found[start:end] == [(i, end - start) for i in range(end - start)]
    lengths = {length for _, length in found}
    assert max(lengths) - min(lengths) <= 1


def test_mean_by_hand() -> None:
    """Weights and running statistics of the ends are averaged, a counter is the last one's; all else is unseen."""
    net, mean = nn.BatchNorm1d(3), CycleMean(10, 3)
    ends = []
    for step in range(1, 11):
        nn.init.uniform_(net.weight)
        net.running_mean, net.num_batches_tracked = torch.rand(3), torch.tensor(step)
        mean.look(net, step)
        if step in (3, 7, 10):
            ends.append(copy.deepcopy(net.state_dict()))
    result = mean.into(nn.BatchNorm1d(3)).state_dict()
    for name in ("weight", "bias", "running_mean", "running_var"):
        torch.testing.assert_close(result[name], torch.stack([e[name] for e in ends]).mean(0))
    assert result["num_batches_tracked"] == 10
    one = CycleMean(10, 1)
    one.look(net, 10)
    assert one.into(net) is net and not one.mean


def test_a_stage_ends_with_the_mean_of_its_cycles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, seen = source(tmp_path / "data"), list[dict[str, torch.Tensor]]()
    look = CycleMean.look

    def keep(self: CycleMean, net: nn.Module, step: int) -> None:
        seen.append(copy.deepcopy(net.state_dict()))
        look(self, net, step)

    monkeypatch.setattr(CycleMean, "look", keep)
    streams = {"source": Stream("source", data, SPACE, BUDGET, PLAIN, 1, 2)}
    stage = Stage("teacher", network(), streams, Plan(), Objectives(), None, 6, cycles=2)
    how = Optimiser(ema=0.5)
    with run_dir(tmp_path / "run") as run:
        trained = train_stage(stage, how, run, fabric(), 1, 1, 60.0).state_dict()
        rates = [e["lr"] for e in run.events() if e["event"] == "step"]
    assert rates == pytest.approx([how.lr * rate(s % 3, 3, how.warmup) for s in range(6)])
    for name, value in trained.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (seen[2][name] + seen[5][name]) / 2, msg=name)
    assert not torch.equal(trained["upsample.mix.weight"], seen[5]["upsample.mix.weight"])
