"""What the training loop costs beyond a bare PyTorch loop, and whether the loader keeps up.

    .venv/bin/python bench/train_step.py [--steps 20] [--size quick] [--batch 4]

Loops of the same network under the same autocast on the same machine in one run: bare: forward, loss, backward,
AdamW on one batch that is already in memory; ours: a real stage with loader, augmentation, EMA and clipping (the log's
line, one in many steps, is left out); loader: the loader alone. They take turns, in changing order, so that a busy
neighbour hits all alike, and the ratio is the median of the turns' ratios.

Prints one JSON object. ``ratio`` is ours / bare by the clock, which counts on an idle machine only. ``processor_ratio``
is that of processor time of all threads, for a busy machine: with OMP_NUM_THREADS=1, as threads that wait for one
another spend processor time too. ``loader_share`` is the loader's processor time / the bare step's. Where
`models.weight_gradient` changes convolutions, plain is the bare loop without it, and ``plain_ratio`` its time / bare.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from PIL import Image

from simteacher.config import BUDGETS, Augment, Network, Objectives, Optimiser
from simteacher.data.folder import FolderWriter
from simteacher.data.open import open_dataset
from simteacher.data.stream import Batch, Cache, Stream, loaders, prefetch
from simteacher.labels import load_space
from simteacher.losses import cross_entropy
from simteacher.memory import keep_freed_memory
from simteacher.models.build import build_network
from simteacher.models.weight_gradient import PlanarGradientConv2d, pays
from simteacher.objectives.compose import Plan
from simteacher.precision import autocast, kind_of_device
from simteacher.processes import Autocast
from simteacher.train import Stage, _Session, _step, make_optimiser


def make_data(folder: Path, size: tuple[int, int], count: int = 24) -> None:
    """Photograph-like noise with block labels, as a `folder` set."""
    rng = np.random.default_rng(0)
    space = load_space("camvid11")
    writer = FolderWriter(folder, space, {"kind": "benchmark"})
    for i in range(count):
        small = rng.integers(0, 255, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
        image = np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC))
        label = np.asarray(
            Image.fromarray((small[..., 0] // 24).astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
        )
        writer.add(f"{i:03}", image=image, label=label)
    writer.close()


class Watched(Stream):
    """A stream of which one can wait until it is idle."""

    busy = threading.Lock()

    def batch(self, step: int) -> Batch:
        """As ever."""
        with self.busy:
            return super().batch(step)


def main() -> None:
    """Run the three loops and print the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--size", default="quick", choices=BUDGETS)
    parser.add_argument("--batch", type=int)
    args = parser.parse_args()
    keep_freed_memory()  # as `adapt` does; for all loops alike
    budget, space = BUDGETS[args.size], load_space("camvid11")
    budget = budget.model_copy(update={"batch": args.batch or budget.batch})
    device = kind_of_device()
    with tempfile.TemporaryDirectory() as tmp:
        make_data(Path(tmp) / "set", budget.size)
        dataset = open_dataset(f"folder:{tmp}/set")
        stream = Watched("source", dataset, space, budget, Augment(), 1, budget.batch, cache=Cache(2.0))
        for i in range(len(dataset)):
            stream.load(i)
        fabric = Fabric(accelerator="auto", devices=1, plugins=[Autocast(device)])
        fabric.launch()
        net = build_network(Network(weights="none"), len(space))
        session = _Session(
            Stage("bench", net, {"source": stream}, Plan(), Objectives(), None, 10**6), Optimiser(), fabric, 1
        )
        batch = stream.batch(0).to(fabric.device)
        batches = prefetch({"source": stream}, 0, 10**6, loaders())

        def bare_loop(changed: bool) -> Callable[[], None]:
            net = build_network(Network(weights="none"), len(space)).to(fabric.device).train()
            net = net.to(memory_format=torch.channels_last)
            for m in net.modules():
                if isinstance(m, PlanarGradientConv2d) and not changed:
                    m.__class__ = torch.nn.Conv2d
            optimiser = make_optimiser(net, Optimiser(), 1.0)

            def step() -> None:
                with autocast(device):
                    main, aux = net(batch.image_BCHW)
                loss = cross_entropy(main, batch.label_BHW) + 0.4 * cross_entropy(aux, batch.label_BHW[:, 2::4, 2::4])
                loss.backward()
                optimiser.step()
                optimiser.zero_grad()
                loss.item()  # as a loop that shows it; waits for a GPU

            return step

        def ours() -> None:
            losses = _step(session, {k: b.to(fabric.device) for k, b in next(batches).items()})
            torch.isfinite(torch.stack(list(losses.values())).sum()).item()
            session.state.step += 1

        loader_steps = iter(range(10**5, 10**6))

        def loader() -> None:
            stream.batch(next(loader_steps))

        loops = {"bare": bare_loop(True), "ours": ours, "loader": loader}
        if pays():
            loops["plain"] = bare_loop(False)
        clock: dict[str, list[float]] = {name: [] for name in loops}
        processor: dict[str, list[float]] = {name: [] for name in loops}
        for i in range(args.steps + 2):
            for name in sorted(loops, reverse=bool(i % 2)):
                began, spent = time.perf_counter(), time.process_time()
                loops[name]()
                clock[name].append(time.perf_counter() - began)
                with stream.busy:  # what a step ordered of the loader is that step's
                    processor[name].append(time.process_time() - spent)
        batches.close()

    def ratio(of: dict[str, list[float]], one: str) -> float:
        return round(statistics.median(a / b for a, b in zip(of[one][2:], of["bare"][2:], strict=True)), 3)

    def milliseconds(of: dict[str, list[float]]) -> dict[str, float]:
        return {k: round(1000 * statistics.median(v[2:]), 1) for k, v in of.items()}

    print(
        json.dumps(
            {
                "ms": milliseconds(clock),
                "ratio": ratio(clock, "ours"),
                "processor_ms": milliseconds(processor),
                "processor_ratio": ratio(processor, "ours"),
                "loader_share": ratio(processor, "loader"),
                **({"plain_ratio": ratio(clock, "plain")} if "plain" in loops else {}),
                "threads": torch.get_num_threads(),
                "loaders": loaders(),
                "device": torch.cuda.get_device_name() if device == "cuda" else device,
            }
        )
    )


if __name__ == "__main__":
    main()
