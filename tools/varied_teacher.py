r"""One of several teachers that go on from the shipped one on renders disturbed in one way each, for a mean of them.

    python -m tools.varied_teacher spectrum runs/streets runs/other-streets runs/street-spectrum --seed 31 --steps 2700

A run of the recipe ``teacher`` (batches of 8) whose source is disturbed besides (`disturb.py`). Runs disturbed in
different ways differ more than runs of other seeds, and their mean reads other pictures better than any of them
(diverse weight averaging, Rame et al. 2022, arXiv:2205.09739). `pack_teacher.py` packs each, `mean_teacher.py` makes
the mean. With ``--until`` a run ends about then: its steps are set once its pace is known.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from tools import disturb as d
from torch import Tensor

from simteacher import train
from simteacher.adapt import adapt
from simteacher.data import stream
from simteacher.errors import UserError
from simteacher.recipe_file import parse_set

Pair = tuple[Tensor, Tensor]
PACE = (40, 160)  # steps between which the pace is taken


def _all(x: Tensor, y: Tensor, g: d.Rng) -> Pair:
    x, y = d.class_mix(x, y, g, 0.25)
    x = d.light(d.random_filter(d.spectrum(x, g, 0.25), g, 0.2), g, 0.3)
    return d.sensor(d.colour(x, g, 1.3), g, 0.2), y


def _wide(x: Tensor, y: Tensor, g: d.Rng) -> Pair:
    beta = 0.02 * 50 ** float(torch.rand(1, generator=g, device=g.device))  # 0.02 to 1
    return d.colour(d.spectrum(x, g, 0.7, beta), g), y


def _mixed(x: Tensor, y: Tensor, g: d.Rng) -> Pair:
    x, y = d.class_mix(x, y, g)
    return d.colour(d.random_filter(d.spectrum(x, g), g, 0.2), g), y


def _class_mix(x: Tensor, y: Tensor, g: d.Rng) -> Pair:
    x, y = d.class_mix(x, y, g)
    return d.colour(x, g), y


HOW: dict[str, Callable[[Tensor, Tensor, d.Rng], Pair]] = {
    "base": lambda x, y, g: (d.colour(x, g), y),
    "strong": lambda x, y, g: (d.colour(d.light(x, g), g, 2.0, 0.2), y),
    "conv": lambda x, y, g: (d.colour(d.random_filter(x, g), g), y),
    "dsu": lambda x, y, g: (d.colour(x, g), y),
    "spectrum": lambda x, y, g: (d.colour(d.spectrum(x, g), g), y),
    "spectra": _wide,
    "spectrum-dsu": lambda x, y, g: (d.colour(d.spectrum(x, g), g), y),
    "classmix": _class_mix,
    "spectrum-classmix": _mixed,
    "sensor": lambda x, y, g: (d.sensor(d.colour(x, g), g), y),
    "all": _all,
}


def varied_teacher(
    how: str, source: str, target: str, out: str, seed: int, steps: int, until: float = float("inf"), **more: Any
) -> None:
    """Train one.

    Args:
        how: One of ``HOW``.
        source: Renders to learn from.
        target: Renders to measure on.
        out: Run folder.
        seed: Of the run.
        steps: At most.
        until: When to end, in seconds of `time.time`.
        more: Recipe keys.
    """
    statistics = d.Statistics()
    stages: list[train.Stage] = []
    losses, begin, batches_of = train.network_losses, train._Session.__init__, train.prefetch
    recolour = stream.recolour

    def disturbed(state: Any, plan: Any, batches: dict[str, Any]) -> Any:
        batch = batches["source"]
        g = torch.Generator(device=batch.image_BCHW.device)
        g.manual_seed(seed * 1_000_003 + state.step)
        statistics.g = g
        with torch.no_grad(), torch.autocast(g.device.type, enabled=False):
            batch.image_BCHW, batch.label_BHW = HOW[how](batch.image_BCHW.float(), batch.label_BHW, g)
        return losses(state, plan, batches)

    def session(self: Any, stage: train.Stage, *rest: Any) -> None:
        begin(self, stage, *rest)
        stages.append(stage)
        if how.endswith("dsu"):  # after the averaged copy was made, which stays as it is
            for block in list(stage.network.encoder.model.blocks)[2:6]:  # type: ignore[union-attr,arg-type]
                block.register_forward_hook(lambda module, _, out: statistics.train(module.training)(out))

    def paced(streams: Any, start: int, stop: int, threads: int = 1) -> Iterator[Any]:
        began = time.time()
        for i, batches in enumerate(batches_of(streams, start, stop, threads)):
            stage = stages[-1]
            if start + i >= stage.steps:
                return
            if i == PACE[0]:
                began = time.time()
            if i == PACE[1] and until != float("inf"):
                left = (until - time.time()) / ((time.time() - began) / (PACE[1] - PACE[0]))
                stage.steps = int(min(stage.steps, start + i + max(40, 0.95 * left)))
            yield batches

    train.network_losses, train.prefetch = disturbed, paced
    train._Session.__init__ = session  # type: ignore[method-assign]
    stream.recolour = lambda rng, image, *rest: image  # colours change on the device
    settings = {"network.weights": "street", "seed": seed, "budget.steps": steps, "budget.batch": 8, **more}
    try:
        adapt("teacher", source=source, target=target, out=out, set=settings)
    finally:
        train.network_losses, train.prefetch, stream.recolour = losses, batches_of, recolour
        train._Session.__init__ = begin  # type: ignore[method-assign]


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("how", choices=HOW)
    for name in ("source", "target", "out"):
        parser.add_argument(name)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2700)
    parser.add_argument("--until", type=float, default=float("inf"))
    parser.add_argument("--set", nargs="*", default=[], help="recipe keys")
    args = parser.parse_args()
    try:
        more = parse_set(args.set)
        varied_teacher(args.how, args.source, args.target, args.out, args.seed, args.steps, args.until, **more)
    except UserError as e:
        print(e, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
