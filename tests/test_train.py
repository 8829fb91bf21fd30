"""The training loop: a plain loop that may be stopped anywhere, ends the same to the bit and says what goes wrong."""

from __future__ import annotations

import copy
import json
import math
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from simteacher.config import Augment, Budget, Objectives, Optimiser
from simteacher.data.sample import DataSet
from simteacher.data.stream import Batch, Stream
from simteacher.errors import UserError
from simteacher.losses import cross_entropy
from simteacher.models.build import IMAGENET
from simteacher.models.store import Model, ModelCard
from simteacher.objectives.compose import Plan
from simteacher.precision import autocast
from simteacher.rundir import RunDir
from simteacher.state_file import load_state
from simteacher.train import Stage, _Average, make_optimiser, rate, train_stage
from tests.tiny import BUDGET, PLAIN, SPACE, fabric, network, run_dir, source

STEPS = 5
LEARNED = ("source", "labelled", "pseudo")  # roles with labels
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any], Plan]] = {
    "plain": ({}, {}, Plan()),
    "accumulate": ({"accumulate": 2}, {}, Plan()),
    "last": ({"ema": 0.0}, {}, Plan()),
    "judged": ({}, {"adversarial": 0.1, "adversarial_aux": 0.1, "agreement": 0.1, "masked": 0.5}, Plan()),
    "online": ({}, {}, Plan("classmix", True)),
    "self-supervised": ({}, {"rotation": 0.5, "contrast": 0.5}, Plan()),
    "few labels": ({}, {"adversarial": 0.1, "two_views": 1.0}, Plan("classmix", mix_labelled="source", rectified=True)),
}
Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return source(tmp_path_factory.mktemp("train"))


class Trap(Stream):
    """A stream that runs ``do(step, batch)`` before it hands out a batch."""

    def batch(self, step: int) -> Batch:
        """The batch, after the trap."""
        made = super().batch(step)
        self.do(step, made)  # type: ignore[attr-defined]
        return made


def _stage(dataset: DataSet, variant: str, do: Any = None, steps: int = STEPS) -> tuple[Stage, Optimiser]:
    how, weights, plan = VARIANTS[variant]
    streams: dict[str, Stream] = {}
    roles = LEARNED if plan.mix_labelled != "none" else ("source", "target") if weights or plan.online else ("source",)
    for role in roles:
        space, twice = SPACE if role in LEARNED else None, bool(weights.get("two_views"))
        streams[role] = Trap(role, dataset, space, BUDGET, Augment(), 1, 2, twice=twice)
        streams[role].do = (do if role == "source" else None) or (lambda step, batch: None)  # type: ignore[attr-defined]
    stage = Stage("teacher", network(), streams, plan, Objectives(**weights), torch.ones(len(SPACE)), steps)
    return stage, Optimiser(**how)


def _train(run: RunDir, dataset: DataSet, variant: str, do: Any = None, **more: Any) -> Weights:
    stage, how = _stage(dataset, variant, do, **more)
    return train_stage(stage, how, run, fabric(), 1, 1, 1e-9).state_dict()


@pytest.fixture(scope="module")
def undisturbed(dataset: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Weights after a run that nothing stopped, by variant."""
    kept: dict[str, Weights] = {}

    def of(variant: str) -> Weights:
        if variant not in kept:
            with run_dir(tmp_path_factory.mktemp("undisturbed") / "run") as run:
                kept[variant] = _train(run, dataset, variant)
        return kept[variant]

    return of


def _same(a: Weights, b: Weights) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_rate_in_closed_form() -> None:
    values = [rate(s, 100, 0.05) for s in range(100)]
    assert values[:5] == [0.2, 0.4, 0.6, 0.8, 1.0] and values[5] == 1.0
    for s in range(5, 100):
        assert values[s] == pytest.approx((1 - (s - 5) / 95) ** 0.9)
    assert rate(0, 100, 0.0) == 1.0 and rate(0, 1, 0.5) == 1.0 and all(rate(s, 3, 0.9) > 0 for s in range(3))


def test_optimiser_groups() -> None:
    net = network(freeze=1)
    how = Optimiser(lr=1e-4, head_lr=1e-3, weight_decay=0.02)
    found = {id(p): g for g in make_optimiser(net, how, 0.5).param_groups for p in g["params"]}
    for name, p in net.named_parameters():
        if not p.requires_grad:
            assert id(p) not in found, name
            continue
        group = found[id(p)]
        assert group["lr"] == pytest.approx(0.5 * (1e-4 if name.startswith("encoder.") else 1e-3)), name
        assert group["weight_decay"] == (0.02 if p.ndim > 1 else 0.0), name
    assert len(found) == sum(p.requires_grad for p in net.parameters())


def test_average_by_hand() -> None:
    """Of weights that learn; one that does not stays, and buffers are copied, also those that the network replaces."""
    a, b = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    for p in (a.weight, a.bias, b.weight, b.bias):
        nn.init.uniform_(p)
    b.bias.requires_grad_(False)
    average = _Average(a, b)
    expected, bias = 0.9 * a.weight.detach() + 0.1 * b.weight.detach(), a.bias.detach().clone()
    b.running_mean, b.num_batches_tracked = torch.tensor([1.0, 2.0, 3.0]), torch.tensor(7)
    average.update(0.9)
    torch.testing.assert_close(a.weight.detach(), expected)
    assert torch.equal(a.bias, bias)
    assert torch.equal(a.running_mean, b.running_mean) and a.num_batches_tracked == 7  # type: ignore[arg-type]
    _Average(nn.ReLU(), nn.ReLU()).update(0.9)


@pytest.mark.parametrize("accumulate", [1, 2, 3])
def test_it_is_a_plain_loop(dataset: DataSet, tmp_path: Path, accumulate: int) -> None:
    """Against the loop written out with torch alone; nothing random but the order of images."""
    how = Optimiser(ema=0.8, accumulate=accumulate, clip=0.05)
    net = network()
    for m in net.modules():
        if isinstance(m, (nn.Dropout, nn.Dropout2d)):
            m.p = 0.0
    ours = copy.deepcopy(net)
    stream = Stream("source", dataset, SPACE, BUDGET, PLAIN, 1, 2)
    weight = torch.linspace(0.5, 2, len(SPACE))
    with run_dir(tmp_path / "run") as run:
        stage = Stage("teacher", ours, {"source": stream}, Plan(), Objectives(aux=0.4), weight, 4)
        trained = train_stage(stage, how, run, fabric(), 1, 1, 60.0)

    net = net.to(memory_format=torch.channels_last).train()
    average = {k: v.detach().clone() for k, v in net.named_parameters()}
    optimiser = make_optimiser(net, how, 1.0)
    peaks = [g["lr"] for g in optimiser.param_groups]
    for step, batch in enumerate(map(stream.batch, range(4))):
        with autocast("cpu"):
            main, aux = net(batch.image_BCHW)
        heads = ((1.0, main, batch.label_BHW), (0.4, aux, batch.label_BHW[:, 2::4, 2::4]))
        loss = sum(w * cross_entropy(x.float(), label, weight) for w, x, label in heads)
        (loss / (1 if accumulate == 3 and step == 3 else accumulate)).backward()  # type: ignore[operator]
        for group, peak in zip(optimiser.param_groups, peaks, strict=True):
            group["lr"] = peak * rate(step, 4, how.warmup)
        if (step + 1) % accumulate == 0 or step == 3:  # the last group may be smaller
            nn.utils.clip_grad_norm_(net.parameters(), 0.05)
            optimiser.step()
            optimiser.zero_grad()
        alpha = min(1 - 1 / (step + 1), 0.8)
        average = {k: alpha * average[k] + (1 - alpha) * v.detach() for k, v in net.named_parameters()}
    own = dict(trained.named_parameters())
    for name, value in average.items():
        torch.testing.assert_close(own[name].detach(), value, rtol=1e-4, atol=1e-6, msg=name)
    for name, buffer in net.named_buffers():
        torch.testing.assert_close(dict(trained.named_buffers())[name], buffer, rtol=1e-4, atol=1e-5)


def test_heads_of_self_supervision_stay_behind(dataset: DataSet, tmp_path: Path, undisturbed: Any) -> None:
    trained = undisturbed("self-supervised")
    assert trained.keys() == network().state_dict().keys()
    with run_dir(tmp_path / "run") as run:
        _train(run, dataset, "self-supervised", steps=2)
    kept = load_state(tmp_path / "run" / "teacher" / "state.safetensors")["heads"]
    assert {"rotation.weight", "contrast.mean_KD", "contrast.project.0.weight"} <= kept.keys()
    assert kept["contrast.mean_KD"].any() and kept["contrast.seen_K"].dtype == torch.bool


def test_training_normalises_as_use_does(dataset: DataSet, tmp_path: Path) -> None:
    """The encoder gets the same numbers from the loop, from a loaded model and by hand in float32."""
    net, seen = network(), list[torch.Tensor]()
    net.encoder.register_forward_pre_hook(lambda m, args: seen.append(args[0].detach().clone()))
    stage = Stage(
        "teacher", net, {"source": Stream("source", dataset, SPACE, BUDGET, PLAIN, 1, 2)}, Plan(), Objectives(), None, 1
    )
    image = stage.streams["source"].batch(0).image_BCHW
    with run_dir(tmp_path / "run") as run:
        train_stage(stage, Optimiser(ema=0), run, fabric(), 1, 1, 60.0)
    Model(ModelCard({}, SPACE, BUDGET.size), net.eval(), tmp_path).logits(image)
    mean, std = (torch.tensor(v)[:, None, None] for v in IMAGENET)
    trained, used = seen
    assert trained.dtype == used.dtype == torch.float32
    assert torch.equal(trained, used) and torch.equal(used, (image - mean) / std)


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_stopped_at_any_step_it_ends_the_same_to_the_bit(
    dataset: DataSet, tmp_path: Path, undisturbed: Any, variant: str
) -> None:
    """Stopped three times, without warning, as by a kill: what was not saved is done again."""
    left = [1, 3, 4]

    def stop(step: int, batch: Batch) -> None:
        if left and step == left[0]:
            left.pop(0)
            raise KeyboardInterrupt

    stops = 0
    while True:
        with run_dir(tmp_path / "run") as run:
            try:
                weights = _train(run, dataset, variant, stop)
                break
            except KeyboardInterrupt:
                stops += 1
    # batches are prepared ahead, so that two of the stops may fall into one
    assert stops >= 2 and _same(weights, undisturbed(variant))
    with run_dir(tmp_path / "run") as run:
        assert [e["step"] for e in run.events()] == [1, 2, 3, 4, 5], "steps logged twice or left out"
        assert _same(_train(run, dataset, variant, lambda *_: pytest.fail("a finished stage trains")), weights)


@pytest.mark.parametrize("at", [1, STEPS - 1])
def test_ctrl_c_ends_the_step_and_saves(dataset: DataSet, tmp_path: Path, undisturbed: Any, at: int) -> None:
    def press(step: int, batch: Batch) -> None:
        if step == at:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with run_dir(tmp_path / "run") as run:
        with pytest.raises(KeyboardInterrupt):
            _train(run, dataset, "plain", press)
        assert 1 <= load_state(tmp_path / "run" / "teacher" / "state.safetensors")["step"] <= STEPS
        assert signal.getsignal(signal.SIGINT) is before
        assert _same(_train(run, dataset, "plain"), undisturbed("plain"))


def test_ctrl_c_while_gradients_wait(dataset: DataSet, tmp_path: Path, undisturbed: Any) -> None:
    """Of an accumulated step nothing is saved half; the last step counts as whole."""
    for at in (1, STEPS - 1):
        with run_dir(tmp_path / f"run{at}") as run:
            with pytest.raises(KeyboardInterrupt):
                _train(run, dataset, "accumulate", lambda s, b, at=at: s == at and signal.raise_signal(signal.SIGINT))
            step = load_state(run.path / "teacher" / "state.safetensors")["step"]
            assert step % 2 == 0 or step == STEPS
            assert _same(_train(run, dataset, "accumulate"), undisturbed("accumulate"))


def test_a_full_disk_loses_nothing(
    dataset: DataSet, tmp_path: Path, undisturbed: Any, full_disk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_dir(tmp_path / "run") as run:
        full_disk("state.safetensors", after=2)
        with pytest.raises(UserError, match="the disk is full") as caught:
            _train(run, dataset, "plain")
        monkeypatch.undo()  # space was made
        assert "state.safetensors" in str(caught.value.where) and "same command" in str(caught.value.fix)
        assert load_state(tmp_path / "run" / "teacher" / "state.safetensors")["step"] == 2
        assert _same(_train(run, dataset, "plain"), undisturbed("plain"))


def test_a_loss_without_a_number_stops_with_step_and_images(dataset: DataSet, tmp_path: Path, undisturbed: Any) -> None:
    names: list[str] = []

    def spoil(step: int, batch: Batch) -> None:
        if step == 2:
            batch.image_BCHW[0, 0, 0, 0] = math.nan
            names.extend(batch.names)

    with run_dir(tmp_path / "run") as run:
        with pytest.raises(UserError, match=r"the loss source is not finite at step 2 of teacher") as caught:
            _train(run, dataset, "plain", spoil)
        assert all(n in caught.value.problem for n in names) and len(names) == 2
        kept = json.loads((tmp_path / "run" / "teacher" / "bad-batch.json").read_text())
        assert kept["step"] == 2 and kept["images"] == {"source": names} and math.isnan(kept["losses"]["source"])
        assert load_state(tmp_path / "run" / "teacher" / "state.safetensors")["step"] == 2
        assert _same(_train(run, dataset, "plain"), undisturbed("plain")), "the bad step left traces"


def test_a_gradient_without_a_number_stops_too(dataset: DataSet, tmp_path: Path) -> None:
    stage, how = _stage(dataset, "plain")
    seen = []

    def spoil(gradient: torch.Tensor) -> torch.Tensor:
        seen.append(1)
        return gradient * math.inf if len(seen) == 2 else gradient

    next(p for n, p in stage.network.named_parameters() if n.startswith("head.")).register_hook(spoil)
    with run_dir(tmp_path / "run") as run, pytest.raises(UserError, match="loss gradient is not finite at step 1"):
        train_stage(stage, how, run, fabric(), 1, 1, 1e-9)
    saved = load_state(tmp_path / "run" / "teacher" / "state.safetensors")
    assert saved["step"] == 1 and all(v.isfinite().all() for v in saved["network"].values())


def test_a_damaged_state_is_said(dataset: DataSet, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with run_dir(tmp_path / "run") as run:
        path = run.stage("teacher") / "state.safetensors"
        path.parent.mkdir()
        path.write_bytes(b"nonsense")
        with pytest.raises(UserError, match="not a readable training state") as caught:
            _train(run, dataset, "plain")
    assert caught.value.where == str(path)


def test_what_is_logged(dataset: DataSet, tmp_path: Path) -> None:
    stage, how = _stage(dataset, "judged", steps=3)
    with run_dir(tmp_path / "run") as run:
        train_stage(stage, how, run, fabric(), 1, 2, 60.0)
        events = run.events()
    assert [e["step"] for e in events] == [1, 2, 3]
    names = {
        "source",
        "adversarial_main",
        "adversarial_aux",
        "agreement",
        "masked",
        "discriminator_main",
        "discriminator_aux",
    }
    for e in events:
        assert e["event"] == "step" and e["stage"] == "teacher" and e["losses"].keys() == names
        assert e["loss"] == pytest.approx(sum(e["losses"].values()), rel=1e-4)
        assert e["lr"] == pytest.approx(how.lr * rate(e["step"] - 1, 3, how.warmup)) and e["seconds"] > 0


@pytest.mark.slow
def test_it_learns(tmp_path: Path) -> None:
    """Thirty steps on images whose colour is their label."""
    from PIL import Image

    from simteacher.data.open import open_dataset
    from tests import lookalikes

    made = lookalikes.camvid(tmp_path / "camvid", 4)
    for frame in open_dataset(made.spec, "train").frames:
        colours = {n: (20 * i, 240 - 20 * i, 60 * (i % 4)) for i, n in enumerate((*SPACE.classes, ""))}
        picture = Image.fromarray(lookalikes.streets.paint(made.truth[frame.name], colours))
        picture.resize((128, 96), Image.Resampling.NEAREST).resize((64, 48), Image.Resampling.NEAREST).save(frame.image)
    budget = Budget(steps=30, batch=4, size=(64, 48), crop=(64, 32))
    stream = Stream("source", open_dataset(made.spec, "train"), SPACE, budget, PLAIN, 1, 4)
    stage = Stage("teacher", network(freeze=0), {"source": stream}, Plan(), Objectives(), None, 30)
    with run_dir(tmp_path / "run") as run:
        train_stage(stage, Optimiser(lr=2e-3, head_lr=5e-3), run, fabric(), 1, 1, 60.0)
        losses = [e["loss"] for e in run.events()]
    assert sum(losses[-3:]) < 0.5 * sum(losses[:3])
