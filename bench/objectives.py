"""What each objective adds to a training step.

    OMP_NUM_THREADS=1 .venv/bin/python bench/objectives.py [--turns 7] [--crop 224x160]

Every row is a real step with its batches: 2 source images, in most rows 2 of the target besides, the default network.
The rows take turns, so that a busy neighbour hits all alike. Prints one JSON object: processor time of a step / that of
the supervised step (2 source images, nothing else), the median of the turns' ratios. ``labelling`` is the time to label
a photograph with prototypes / without.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from train_step import make_data

from simteacher.config import Augment, Budget, Network, Objectives, Optimiser
from simteacher.data.open import open_dataset
from simteacher.data.stream import Cache, Stream
from simteacher.labels import load_space
from simteacher.memory import keep_freed_memory
from simteacher.models.build import SegmentationNetwork, build_network
from simteacher.models.store import Model, ModelCard
from simteacher.objectives.compose import Plan
from simteacher.objectives.feature_distance import Reference
from simteacher.processes import Autocast
from simteacher.prototypes import Prototypes, Weighed
from simteacher.train import Stage, _Session, _step

SPACE = load_space("camvid11")
MIX = Plan("classmix")
# name: (streams, losses, plan)
ROWS: dict[str, tuple[tuple[str, ...], dict[str, Any], Plan]] = {
    "supervised": (("source",), {}, Plan()),
    "min_entropy": (("source", "target"), {"min_entropy": 0.01}, Plan()),
    "agreement": (("source", "target"), {"agreement": 0.1}, Plan()),
    "adversarial": (("source", "target"), {"adversarial": 0.001}, Plan()),
    "adversarial, both heads": (("source", "target"), {"adversarial": 0.001, "adversarial_aux": 0.0002}, Plan()),
    "adversarial, entropy maps": (("source", "target"), {"adversarial": 0.001, "entropy_maps": True}, Plan()),
    "masked": (("source", "target"), {"masked": 1.0}, Plan()),
    "two_views": (("source", "target"), {"two_views": 1.0}, Plan()),
    "rotation": (("source", "target"), {"rotation": 0.1}, Plan()),
    "feature distance, source alone": (("source",), {"feature_distance": 0.005}, Plan()),
    "contrast": (("source", "target"), {"contrast": 0.1}, Plan()),
    "pseudo, classmix": (("source", "pseudo"), {}, MIX),
    "pseudo, classmix, online": (("source", "pseudo"), {}, Plan("classmix", online=True)),
    "pseudo, classmix, rectified": (("source", "pseudo"), {}, Plan("classmix", rectified=True)),
    "labelled": (("source", "labelled"), {}, Plan()),
    "labelled, Domain CutMix": (("source", "labelled"), {}, Plan(mix_labelled="source")),
}


def steps(folder: Path, crop: tuple[int, int]) -> dict[str, Callable[[], object]]:
    """For each row a function that makes one step."""
    budget = Budget(steps=1, batch=2, size=(crop[0] * 3 // 2, crop[1] * 3 // 2), crop=crop)
    make_data(folder / "set", budget.size, 8)
    dataset, cache = open_dataset(f"folder:{folder}/set"), Cache(1.0)
    fabric = Fabric(accelerator="cpu", devices=1, plugins=[Autocast("cpu")])
    fabric.launch()

    def row(roles: tuple[str, ...], losses: dict[str, Any], plan: Plan) -> Callable[[], object]:
        twice = ("target",) if "two_views" in losses else ()
        streams = {
            role: Stream(role, dataset, SPACE, budget, Augment(), 1, 2, cache=cache, twice=role in twice)
            for role in roles
        }
        network = build_network(Network(weights="none"), len(SPACE))
        weights = Objectives(**losses)
        reference = Reference(Network(), SPACE) if weights.feature_distance else None
        stage = Stage("bench", network, streams, plan, weights, None, 10**6, reference=reference)
        session = _Session(stage, Optimiser(), fabric, 1)

        def step() -> None:
            _step(session, {k: s.batch(session.state.step) for k, s in streams.items()})
            session.state.step += 1

        return step

    return {name: row(*how) for name, how in ROWS.items()}


def labelling(size: tuple[int, int]) -> dict[str, Callable[[], object]]:
    """Class scores of one photograph, without and with prototypes."""
    network = build_network(Network(weights="none"), len(SPACE)).eval()
    assert isinstance(network, SegmentationNetwork)
    channels = next(p for p in network.head.parameters()).shape[1]
    network = network.to(memory_format=torch.channels_last)
    model = Model(ModelCard(Network().model_dump(), SPACE, size), network, Path("bench"))
    weighed = Weighed(model, Prototypes(torch.randn(len(SPACE), channels), 1.0), 1.0)
    image_BCHW = torch.rand(1, 3, size[1], size[0])
    return {"plain": lambda: model.logits(image_BCHW), "prototypes": lambda: weighed.logits(image_BCHW)}


def ratios(ways: dict[str, Callable[[], object]], turns: int) -> dict[str, float]:
    """Processor time of each way / that of the first."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(turns + 2):
        for name, way in ways.items():
            began = time.process_time()
            way()
            spent[name].append(time.process_time() - began)
    first = next(iter(spent.values()))[2:]
    return {
        name: round(statistics.median(a / b for a, b in zip(v[2:], first, strict=True)), 2) for name, v in spent.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--crop", default="224x160")
    args = parser.parse_args()
    width, height = (int(v) for v in args.crop.split("x"))
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as tmp:
        found = ratios(steps(Path(tmp), (width, height)), args.turns)
    print(json.dumps({"steps": found, "labelling": ratios(labelling((2 * width, 2 * height)), args.turns)}, indent=1))


if __name__ == "__main__":
    main()
