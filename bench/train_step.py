"""What the training loop costs beyond a bare PyTorch loop, and whether the loader keeps up.

    .venv/bin/python bench/train_step.py [--steps 20] [--size quick]

Three loops of the same network on the same machine in one run, interleaved so that a busy neighbour hits all alike:
bare: forward, loss, backward, AdamW on one batch that is already in memory; ours: a real stage with loader,
augmentation, EMA, clipping and logging; loader: the loader alone. Prints one JSON object; ``ratio`` is ours / bare,
``loader_share`` the loader's time on one thread / the bare step.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from PIL import Image

from simteacher.config import BUDGETS, Augment, Network, Objectives, Optimiser
from simteacher.data.folder import FolderWriter
from simteacher.data.open import open_dataset
from simteacher.data.stream import Cache, Stream, prefetch
from simteacher.labels import load_space
from simteacher.losses import cross_entropy
from simteacher.memory import keep_freed_memory
from simteacher.models.build import build_network
from simteacher.objectives.compose import Plan
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


def main() -> None:
    """Run the three loops and print the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--size", default="quick", choices=BUDGETS)
    args = parser.parse_args()
    keep_freed_memory()  # as `adapt` does; for all three loops alike
    budget, space = BUDGETS[args.size], load_space("camvid11")
    with tempfile.TemporaryDirectory() as tmp:
        make_data(Path(tmp) / "set", budget.size)
        dataset = open_dataset(f"folder:{tmp}/set")
        stream = Stream("source", dataset, space, budget, Augment(), 1, budget.batch, cache=Cache(2.0))
        for i in range(len(dataset)):
            stream.load(i)
        fabric = Fabric(accelerator="cpu", devices=1, plugins=[Autocast("cpu")])
        fabric.launch()
        net = build_network(Network(weights="none"), len(space))
        session = _Session(
            Stage("bench", net, {"source": stream}, Plan(), Objectives(), None, 10**6), Optimiser(), fabric, 1
        )
        bare_net = build_network(Network(weights="none"), len(space)).to(memory_format=torch.channels_last).train()
        optimiser = make_optimiser(bare_net, Optimiser(), 1.0)
        batch = stream.batch(0)
        batches = prefetch({"source": stream}, 0, 10**6)

        def bare() -> None:
            with torch.autocast("cpu", torch.bfloat16):
                main, aux = bare_net(batch.image_BCHW)
            loss = cross_entropy(main, batch.label_BHW) + 0.4 * cross_entropy(aux, batch.label_BHW)
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()

        def ours() -> None:
            losses = _step(session, next(batches))
            torch.isfinite(torch.stack(list(losses.values())).sum()).item()
            session.state.step += 1

        loader_steps = iter(range(10**5, 10**6))

        def loader() -> None:
            stream.batch(next(loader_steps))

        times: dict[str, list[float]] = {"bare": [], "ours": [], "loader": []}
        loops = {"bare": bare, "ours": ours, "loader": loader}
        for i in range(args.steps + 2):
            for name, loop in loops.items():
                began = time.perf_counter()
                loop()
                if i >= 2:
                    times[name].append(time.perf_counter() - began)
        batches.close()
    median = {k: statistics.median(v) for k, v in times.items()}
    print(
        json.dumps(
            {
                "ms": {k: round(1000 * v, 1) for k, v in median.items()},
                "ratio": round(median["ours"] / median["bare"], 3),
                "loader_share": round(median["loader"] / median["bare"], 3),
                "threads": torch.get_num_threads(),
            }
        )
    )


if __name__ == "__main__":
    main()
