"""How fast a model reads photographs: eager PyTorch, as `predict` runs it, exported to ONNX, and as int8.

    .venv/bin/python bench/inference.py [--model RUN] [--images 12] [--size 480x360]

All four read the same pictures on the same machine in one run, interleaved so that a busy neighbour hits all alike.
Prints one JSON object: milliseconds an image (median), and how many times as fast as eager float32 PyTorch each is.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from simteacher.config import Network
from simteacher.export import export
from simteacher.labels import SPACES
from simteacher.models.build import build_network
from simteacher.models.store import Model, ModelCard, load, save_model
from simteacher.progress import set_quiet


def pictures(folder: Path, size: tuple[int, int], count: int) -> list[torch.Tensor]:
    """Smooth noise as JPEG files in ``folder``, and as tensors (1, 3, H, W) in [0, 1]."""
    folder.mkdir(parents=True)
    out = []
    for n in range(count):
        small = np.random.default_rng(n).integers(0, 255, (size[1] // 8, size[0] // 8, 3), np.uint8)
        image = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
        image.save(folder / f"{n:03}.jpg")
        out.append(torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255)
    return out


def ready(model: str | None, size: tuple[int, int], place: Path) -> Model:
    """The model given, or the default network with random weights: speed does not depend on them."""
    if model is not None:
        return load(model)
    network = build_network(Network(weights="none"), 11, pretrained=False)
    save_model(place / "model", network, ModelCard(Network().model_dump(), SPACES["camvid11"], size))
    return load(place / "model")


def main() -> None:
    """Run the four and print times and ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--size", default="480x360")
    args = parser.parse_args()
    width, height = (int(v) for v in args.size.split("x"))
    set_quiet(True)
    with tempfile.TemporaryDirectory() as tmp:
        images = pictures(Path(tmp) / "pictures", (width, height), args.images)
        ours = ready(args.model, (width, height), Path(tmp))
        done = export(ours, Path(tmp) / "m.onnx", data=Path(tmp) / "pictures", int8=True)
        plain = ready(args.model, (width, height), Path(tmp)).network
        assert plain is not None
        plain = plain.to("cpu", memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
        float_onnx, int8_onnx = load(Path(tmp) / "m.onnx"), load(Path(tmp) / "m-int8.onnx")

        def eager(image: torch.Tensor) -> None:
            with torch.inference_mode():
                plain(image)

        ways: dict[str, Callable[[torch.Tensor], object]] = {
            "eager float32": eager,
            "predict": ours.logits,
            "onnx": float_onnx.logits,
            "onnx int8": int8_onnx.logits,
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for number, image in enumerate([images[0], *images]):
            for name, run in ways.items():
                began = time.perf_counter()
                run(image)
                if number:  # the first is for warming up
                    times[name].append(time.perf_counter() - began)
    median = {name: statistics.median(values) for name, values in times.items()}
    result = {
        "size": args.size,
        "threads": torch.get_num_threads(),
        "ms": {name: round(1000 * value, 1) for name, value in median.items()},
        "times as fast": {name: round(median["eager float32"] / value, 2) for name, value in median.items()},
        "same class as PyTorch": done["agreement"],
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
