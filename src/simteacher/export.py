"""A model as one ONNX file that says what it is: `simteacher export MODEL OUT.onnx`.

In: images (B, 3, H, W), RGB in [0, 1], any batch and any size; normalisation is inside. Out: class scores of the same
size. The metadata hold the model card, so that `predict`, `evaluate` and `select` take the file like any model.
Success is reported only after PyTorch and ONNX Runtime gave the same class to at least 99.9 % of the pixels of real
pictures, in several sizes and in a batch.
"""

from __future__ import annotations

import copy
import json
import os
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from itertools import islice
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from simteacher.data import open_dataset, read_image
from simteacher.dense import working_size
from simteacher.errors import UserError
from simteacher.export_int8 import quantise
from simteacher.files import atomic_path
from simteacher.models.bins import pool_by_products
from simteacher.models.store import Model, load
from simteacher.progress import say
from simteacher.typed import typed

F32 = npt.NDArray[np.float32]

AGREE = 0.999  # share of pixels that must get the same class
IMAGES = 8  # real pictures compared
OPSET = 17


class Exported(TypedDict):
    """What was written and how far it was checked.

    ``agreement`` is the share of pixels with PyTorch's class; ``inputs`` says which pictures were compared; ``int8``
    what quantisation costs.
    """

    path: str
    agreement: float
    pixels: int
    inputs: str
    int8: str | None


class Scores(nn.Module):
    """The network with one output, as of `Model.logits`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Class scores (B, K, H, W) of the primary head."""
        return torch.as_tensor(self.network(image)[0])


@typed
def export(
    model: str | Path | Model,
    out: str | Path,
    *,
    data: str | Path | None = None,
    split: str | None = None,
    int8: bool = False,
) -> Exported:
    """Write a model as ONNX, verified against PyTorch.

    Args:
        model: A run folder, a stage of one or a ``model.safetensors``, or a loaded model.
        out: File to write; ``.onnx``.
        data: Pictures to compare (and, for int8, to calibrate) on; without it the run's sample photographs, else
            rendered streets.
        split: Of the data.
        int8: Also write ``<out>-int8.onnx``, quantised; its cost is measured and reported.

    Returns:
        The file and the agreement found.

    Raises:
        UserError: The model is ONNX already, the package is missing, or the two disagree: nothing is written then.
    """
    onnx, _ = _packages(out)
    target = Path(out)
    if target.suffix.lower() != ".onnx":
        raise UserError("the file to write has to end in .onnx", target, f"write to {target.with_suffix('.onnx')}")
    loaded = model if isinstance(model, Model) else load(model)
    if loaded.network is None:
        raise UserError("this model is ONNX already", loaded.path, "export the run folder it came from")
    network = Scores(copy.deepcopy(loaded.network)).float().cpu().eval()
    pool_by_products(network)
    pictures, inputs = real_pictures(loaded, data, split)
    tried, agreement, pixels = list[str](), 0.0, 0
    for exporter in (_traced, _captured):
        if tried:
            say("the quick exporter cannot do this network; the other one is tried, which takes minutes")
        try:
            with _unheard():
                graph = onnx.load_from_string(exporter(network))
        except Exception as error:
            said = str(error).strip() or type(error).__name__
            tried.append(f"{exporter.__doc__} {said.splitlines()[0]}")
            continue
        _describe(graph, loaded)
        graph.graph.output[0].type.tensor_type.shape.dim[1].dim_value = len(loaded.card.space)  # exporters lose it
        content = graph.SerializeToString()
        agreement, pixels = compare(network, content, pictures)
        if agreement >= AGREE:
            break
        tried.append(f"{exporter.__doc__} {agreement:.3%} of the pixels agree")
    else:
        problem = f"no ONNX file gives what PyTorch gives ({' '.join(tried)})"
        raise UserError(problem, loaded.path, "choose another encoder or decoder")
    with atomic_path(target) as part:
        part.write_bytes(content)
    say(f"{target}: same class as PyTorch on {agreement:.3%} of {pixels:,} pixels ({inputs})")
    done: Exported = {"path": str(target), "agreement": agreement, "pixels": pixels, "inputs": inputs, "int8": None}
    if int8:
        done["int8"] = quantise(target, target.with_name(f"{target.stem}-int8.onnx"), pictures, data, split)
    return done


def _packages(where: str | Path) -> tuple[Any, Any]:
    try:
        import onnx
        import onnxruntime
    except ImportError:
        raise UserError(
            "ONNX needs the packages onnx and onnxruntime", where, "pip install 'simteacher[onnx]'"
        ) from None
    return onnx, onnxruntime


_MUTE = threading.Lock()  # descriptors are the whole process's


@contextmanager
def _unheard() -> Iterator[None]:
    """What torch prints while it tries, from C++ too, goes nowhere: a failed attempt prints its graph, 500 lines."""
    with _MUTE, ExitStack() as after, open(os.devnull, "w", encoding="utf-8") as nowhere:
        after.enter_context(redirect_stdout(nowhere))
        after.enter_context(redirect_stderr(nowhere))
        for number in (1, 2):
            try:
                before = os.dup(number)
            except OSError:  # closed, so that nothing is heard anyway
                continue
            after.callback(os.close, before)
            after.callback(os.dup2, before, number)
            os.dup2(nowhere.fileno(), number)
        yield


def _traced(network: nn.Module) -> bytes:
    """TorchScript exporter."""
    axes = {0: "batch", 2: "height", 3: "width"}
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as place:
        warnings.simplefilter("ignore")  # that it is the older exporter, and that sizes are traced: `compare` looks
        torch.onnx.export(
            network,
            (torch.rand(2, 3, 96, 160),),
            f"{place}/traced.onnx",
            dynamo=False,  # a second; the other takes minutes on a CPU
            input_names=["image"],
            output_names=["logits"],
            opset_version=OPSET,
            dynamic_axes={"image": axes, "logits": axes},
        )
        return Path(place, "traced.onnx").read_bytes()


def _captured(network: nn.Module) -> bytes:
    """torch.export exporter."""
    dim = torch.export.Dim
    shapes = {"image": {0: dim("batch", min=1), 2: dim("height", min=32), 3: dim("width", min=32)}}
    example = (torch.rand(2, 3, 96, 160),)
    program: Any = torch.onnx.export(
        network,
        example,
        dynamo=True,
        input_names=["image"],
        output_names=["logits"],
        dynamic_shapes=shapes,
        verbose=False,
    )
    return bytes(program.model_proto.SerializeToString())


def _describe(graph: Any, model: Model) -> None:
    """Put the card and, for other programs, its parts into the metadata."""
    card = model.card
    facts = {
        "card": card.to_json(),
        "classes": json.dumps(card.space.classes),
        "colors": json.dumps(card.space.colors),
        "input": "RGB, float32 in [0, 1], batch x 3 x height x width, any size; normalisation is inside the graph",
        "normalisation": json.dumps(card.normalisation),
        "size": json.dumps(card.size),
    }
    for key, value in facts.items():
        entry = graph.metadata_props.add()
        entry.key, entry.value = key, value
    graph.producer_name = "simteacher"


def real_pictures(model: Model, data: str | Path | None, split: str | None) -> tuple[list[F32], str]:
    """Pictures (3, H, W) at the model's working size, and in words where they come from."""
    folder = model.path.parent
    samples = sorted({p.name: p for p in [*folder.glob("*/samples/*.jpg"), *folder.glob("samples/*.jpg")]}.values())
    if data is not None:
        frames = open_dataset(data, split).frames
        step = max(1, len(frames) // IMAGES)
        return _read((f.image for f in frames[::step]), model), f"pictures of {data}"
    if samples:
        return _read(iter(samples), model), "the run's sample photographs"
    from simteacher.scenes.render import render

    with tempfile.TemporaryDirectory() as place:
        rendered = Path(place) / "streets"
        render(rendered, frames=4, size=model.card.size, seed=7, workers=1)
        return _read(
            iter(sorted((rendered / "images").iterdir())), model
        ), "rendered streets, as there were no photographs"


def _read(paths: Iterator[Path], model: Model) -> list[F32]:
    out = []
    for path in islice(paths, IMAGES):
        image = Image.fromarray(read_image(path))
        height, width = working_size(image.height, image.width, model.card.size)
        small = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
        out.append(np.ascontiguousarray(small.transpose(2, 0, 1), dtype=np.float32) / np.float32(255))
    return out


def compare(network: nn.Module, content: bytes, pictures: list[F32]) -> tuple[float, int]:
    """Share of pixels to which both give the same class, and their number.

    Each picture alone, an odd part of it, and a batch of two: what is wrong with another size or batch shows.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    same = total = 0
    for number, picture in enumerate(pictures):
        other = pictures[(number + 1) % len(pictures)]
        pair = np.stack([picture, other]) if other.shape == picture.shape else np.stack([picture, picture[..., ::-1]])
        for image_BCHW in (picture[None], pair) if number else (picture[None], picture[None, :, 3:-5, 7:-2], pair):
            image_BCHW = np.ascontiguousarray(image_BCHW)
            with torch.inference_mode():
                wanted = network(torch.from_numpy(image_BCHW)).numpy().argmax(1)
            found = session.run(None, {"image": image_BCHW})[0].argmax(1)
            if found.shape != wanted.shape:
                return 0.0, total + wanted.size
            same, total = same + int((found == wanted).sum()), total + wanted.size
    return same / max(total, 1), total
