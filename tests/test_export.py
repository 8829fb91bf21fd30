"""Export: PyTorch's classes at any size and batch, a file that says what it is, nothing written when wrong."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from simteacher.config import Network
from simteacher.errors import UserError
from simteacher.export import export
from simteacher.labels import LabelSpace
from simteacher.models.build import build_network
from simteacher.models.rehead import rehead
from simteacher.models.store import Model, ModelCard, load, save_model

pytest.importorskip("onnx", reason="pip install 'simteacher[onnx]'")
pytest.importorskip("onnxruntime", reason="pip install 'simteacher[onnx]'")

SPACE = LabelSpace("five", tuple("abcde"), tuple((40 * k, 9, 9) for k in range(5)), {"f": "a"})
TINY = Network.model_validate(
    {"encoder": "test_resnet", "weights": "none", "freeze": 0,
     "decoder_options": {"decoder_pyramid_channels": 16, "decoder_segmentation_channels": 32}}
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a tiny real network and sample pictures."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    network = build_network(TINY, 6, pretrained=False)
    rehead(network, LabelSpace("six", tuple("abcdef"), ((0, 0, 0),) * 6), SPACE)  # so a has two rows
    save_model(folder, network, ModelCard(TINY.model_dump(), SPACE, (96, 64)))
    (folder / "teacher" / "samples").mkdir(parents=True)
    for n in range(3):
        noise = np.random.default_rng(n).integers(0, 255, (8, 12, 3), np.uint8)
        picture = Image.fromarray(noise).resize((96 + 7 * (n == 2), 64), Image.Resampling.BICUBIC)
        picture.save(folder / "teacher" / "samples" / f"s{n}.jpg")
    return folder


@pytest.fixture(scope="module")
def exported(run: Path) -> Path:
    done = export(run, run / "model.onnx")
    assert done["agreement"] >= 0.999 and done["pixels"] > 3 * 64 * 96 and "sample" in done["inputs"]
    return run / "model.onnx"


@pytest.mark.parametrize("shape", [(1, 3, 64, 96), (3, 3, 33, 70), (2, 3, 160, 128)])
def test_same_scores_as_pytorch(run: Path, exported: Path, shape: tuple[int, ...]) -> None:
    image = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    ours = load(run)
    assert ours.network is not None
    with torch.inference_mode():
        main, _ = ours.network.cpu()(image)
    np.testing.assert_allclose(load(exported).logits(image), main, atol=2e-4)


def test_the_file_is_a_model_like_any_other(run: Path, exported: Path) -> None:
    model = load(exported)
    assert model.card.space == SPACE and model.card.size == (96, 64)
    image = np.asarray(Image.open(run / "teacher" / "samples" / "s2.jpg"))
    seen = model.predict(image)
    assert (seen.label_HW == load(run).predict(image).label_HW).mean() > 0.97  # PyTorch runs in bfloat16 here


def test_metadata_serve_other_programs(exported: Path) -> None:
    import json

    import onnx

    graph = onnx.load(str(exported))
    facts = {p.key: p.value for p in graph.metadata_props}
    assert json.loads(facts["classes"]) == list("abcde") and json.loads(facts["size"]) == [96, 64]
    shape = graph.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in shape] == ["batch", 3, "height", "width"]
    shape = graph.graph.output[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in shape] == ["batch", 5, "height", "width"]


class Wayward(nn.Module):
    """Answers differently when traced: what an export can silently get wrong."""

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        main = torch.cat([image, image[:, :2]], 1)
        if torch.onnx.is_in_onnx_export():
            main = main.flip(1)
        return main, torch.zeros_like(main)


@pytest.mark.parametrize("decoder", ["pspnet", pytest.param("upernet", marks=pytest.mark.slow)])
def test_pyramids_of_pools_take_the_quick_exporter(
    decoder: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their bins are no divisors of an open size, which the exporter cannot pool to by itself."""
    monkeypatch.setattr(import_module("simteacher.export"), "_captured", lambda _: pytest.fail("the slow one"))
    torch.manual_seed(0)
    spec = Network.model_validate({"encoder": "test_resnet", "weights": "none", "decoder": decoder})
    network = build_network(spec, 5, pretrained=False).eval()
    export(Model(ModelCard({}, SPACE, (96, 64)), network, run / "model.safetensors"), tmp_path / "m.onnx")
    theirs = load(tmp_path / "m.onnx")
    for size in ((64, 96), (75, 131)):
        image = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            np.testing.assert_allclose(theirs.logits(image), network(image)[0], atol=2e-4)


class Inexpressible(nn.Module):
    """Pools to a size that the quick exporter cannot express."""

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        small = nn.functional.adaptive_max_pool2d(image, (3, 5))
        main = nn.functional.interpolate(torch.cat([small, small[:, :2]], 1), size=image.shape[-2:])
        return main, main


def test_a_first_attempt_fails_in_one_line(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Torch prints its whole graph, past Python."""
    monkeypatch.setattr(import_module("simteacher.export"), "_captured", lambda _: print("noise") or b"no graph")
    model = Model(ModelCard({}, SPACE, (96, 64)), Inexpressible(), run / "model.safetensors")
    with pytest.raises(UserError, match="no ONNX file gives what PyTorch gives"):
        export(model, tmp_path / "m.onnx")
    out, err = capfd.readouterr()
    assert not out and err.count("\n") == 1 and "takes minutes" in err


def test_a_wrong_file_is_not_written(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("simteacher.export"), "_captured", lambda _: b"no graph")  # it takes a minute
    wayward = Model(ModelCard({}, SPACE, (96, 64)), Wayward(), run / "model.safetensors")
    with pytest.raises(UserError, match=r"\d% of the pixels agree"):
        export(wayward, tmp_path / "wrong.onnx")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_says_why(run: Path, exported: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ONNX already"):
        export(exported, tmp_path / "again.onnx")
    with pytest.raises(UserError, match=r"has to end in \.onnx"):
        export(run, tmp_path / "model.pt")


def test_int8_says_what_it_costs(run: Path, tmp_path: Path) -> None:
    done = export(run, tmp_path / "m.onnx", int8=True)
    assert done["int8"] is not None and "keep their class" in done["int8"]
    small = load(tmp_path / "m-int8.onnx")
    assert small.card.space == SPACE
    assert small.logits(torch.rand(2, 3, 140, 70)).shape == (2, 5, 140, 70)
    assert (tmp_path / "m-int8.onnx").stat().st_size < 0.6 * (tmp_path / "m.onnx").stat().st_size


@pytest.mark.slow
def test_without_photographs_streets_are_rendered(run: Path, tmp_path: Path) -> None:
    model = load(run)
    model.path = tmp_path / "elsewhere" / "model.safetensors"
    assert "rendered streets" in export(model, tmp_path / "m.onnx")["inputs"]


@pytest.mark.slow
def test_the_default_network_in_int8_reads_other_sizes(run: Path, tmp_path: Path) -> None:
    """Its "same" padding follows the size of the picture; quantising more than the heavy layers breaks there."""
    torch.manual_seed(0)
    network = build_network(Network(weights="none"), 5, pretrained=False)
    model = Model(ModelCard({}, SPACE, (96, 64)), network, run / "model.safetensors")
    done = export(model, tmp_path / "m.onnx", int8=True)
    assert done["agreement"] >= 0.999
    assert load(tmp_path / "m-int8.onnx").logits(torch.rand(1, 3, 190, 250)).shape == (1, 5, 190, 250)
