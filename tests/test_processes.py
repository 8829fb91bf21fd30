"""Two processes on CPU learn what one learns, and tell an error once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric.plugins.precision import Precision
from safetensors.torch import load_file

from simteacher import cli, processes
from simteacher.adapt import adapt
from simteacher.errors import UserError
from simteacher.losses import cross_entropy
from simteacher.objectives.feature_distance import feature_distance
from simteacher.rundir import read_events
from tests import lookalikes, tiny, two_processes
from tests.conftest import ROOT

LOSS = 1e-4  # relative; float32 sums in another order, over six steps of AdamW
WEIGHT = 2e-4  # absolute; half of one step's length


def launch(count: int, module: str, *args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}", "-m", module]
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH")]))
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run([*command, *map(str, args)], capture_output=True, text=True, env=env, timeout=900)


def steps(run: Path) -> list[tuple[str, int, dict[str, float]]]:
    return [(e["stage"], e["step"], e["losses"]) for e in read_events(run) if e["event"] == "step"]


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = lookalikes.gta5(tmp_path / "source", 6), lookalikes.camvid(tmp_path / "target", 6)
    recipe = tiny.recipe(tmp_path / "recipe.yaml", source.spec, target.spec, **two_processes.CHANGES)
    monkeypatch.setattr(processes, "precision", Precision)
    adapt(recipe, out=tmp_path / "one", network=two_processes.network)
    done = launch(2, "tests.two_processes", tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "deprecated" not in done.stderr

    first, second = (json.loads((tmp_path / f"told-{rank}.json").read_text()) for rank in (0, 1))
    assert "leaves 1 of a kind of images for 2 processes" in first["error"]
    assert "larger batch" in first["fix"]
    assert second == {"code": 2}  # ends without a word

    one, two = steps(tmp_path / "one"), steps(tmp_path / "two")
    assert len(one) == 6
    assert {"source", "agreement", "min_entropy", "adversarial_main", "discriminator_main"} == one[0][2].keys()
    assert [step[:2] for step in one] == [step[:2] for step in two]
    for (*_, ours), (*_, theirs) in zip(one, two, strict=True):
        assert theirs == pytest.approx(ours, rel=LOSS)
    for stage in ("teacher", "round-1"):
        ours, theirs = (load_file(tmp_path / run / stage / "model.safetensors") for run in ("one", "two"))
        for name, weight in ours.items():
            torch.testing.assert_close(theirs[name], weight, rtol=0, atol=WEIGHT)
    assert [e["event"] for e in read_events(tmp_path / "one")] == [e["event"] for e in read_events(tmp_path / "two")]
    assert (tmp_path / "two" / "report.html").is_file()


def test_shares_of_a_batch_add_up_to_its_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """One half has few valid pixels; the mean of both halves, as gradients are averaged, is that of the whole batch."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 3, 8, 8, generator=generator)
    label = torch.randint(0, 3, (4, 8, 8), generator=generator)
    label[2:, 1:] = 255
    whole = cross_entropy(logits, label)
    plain = (cross_entropy(logits[:2], label[:2]) + cross_entropy(logits[2:], label[2:])) / 2
    assert abs(plain - whole) > 1e-3  # without an exchange the halves would weigh alike

    def exchange(count: torch.Tensor) -> None:
        count.fill_(float((label != 255).sum()))

    monkeypatch.setattr("simteacher.losses.processes", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", exchange)
    shared = (cross_entropy(logits[:2], label[:2]) + cross_entropy(logits[2:], label[2:])) / 2
    torch.testing.assert_close(shared.float(), whole)


def test_shares_of_a_batch_add_up_to_its_feature_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    """One half has no cell that counts."""
    ours, theirs = (torch.randn(4, 5, 3, 3, generator=torch.Generator().manual_seed(n)) for n in (0, 1))
    cells = torch.zeros(4, 3, 3, dtype=torch.bool)
    cells[0, 0] = cells[1, 2, 1] = True
    whole = feature_distance(ours, theirs, cells)
    monkeypatch.setattr("simteacher.losses.processes", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda count: count.fill_(float(cells.sum())))
    halves = [feature_distance(ours[at], theirs[at], cells[at]) for at in (slice(2), slice(2, 4))]
    assert halves[1] == 0
    torch.testing.assert_close((sum(halves) / 2).float(), whole)


class OneOfTwo:
    """A stand-in for Fabric: the ``rank``-th of two, which hears what it is told to hear."""

    world_size = 2

    def __init__(self, rank: int, hears: Any = None) -> None:
        self.global_rank, self.hears, self.said = rank, hears, []

    def broadcast(self, value: Any) -> Any:
        self.said.append(value)
        return value if self.global_rank == 0 else self.hears


def test_the_first_works_and_the_others_take_its_result() -> None:
    first: Any = OneOfTwo(0)
    assert processes.on_first(first, lambda: 7) == 7
    assert first.said == [(True, 7)]
    other: Any = OneOfTwo(1, (True, 7))
    assert processes.on_first(other, lambda: 1 // 0) == 7


@pytest.mark.parametrize("block", [False, True])
def test_a_failure_of_the_first_ends_the_others_quietly(block: bool) -> None:
    def go(fabric: Any) -> None:
        if block:
            with processes.first_then_others(fabric):
                assert fabric.global_rank == 0, "the others must not begin"
                raise ValueError
        processes.on_first(fabric, lambda: int("no number"))

    first: Any = OneOfTwo(0)
    with pytest.raises(ValueError):
        go(first)
    assert len(first.said) == 1
    with pytest.raises(SystemExit) as left:
        go(OneOfTwo(1, False if block else (False, None)))
    assert left.value.code == 2


def test_a_lost_process_is_a_message_and_a_bug_stays_a_bug() -> None:
    several: Any = OneOfTwo(0)
    with pytest.raises(UserError, match="another process of this run has ended"), processes.one_run(several, "r"):
        raise RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:1")
    with pytest.raises(RuntimeError, match="size mismatch"), processes.one_run(several, "r"):
        raise RuntimeError("size mismatch")


def test_without_a_launcher_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "4")  # of a batch system that started nothing
    assert processes.launched() == (0, 1)


def test_commands_that_do_not_share_are_refused_under_a_launcher(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert cli.main(["label", "model", "data", "out"]) == 2
    assert "label does not share its work" in capsys.readouterr().err
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert cli.main(["label", "model", "data", "out"]) == 2
    assert "no such model" in capsys.readouterr().err
