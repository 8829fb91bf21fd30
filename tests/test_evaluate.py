"""Evaluation on written data sets, against a count by hand and, where genuine data is, on real labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simteacher.data import FolderWriter, open_dataset
from simteacher.errors import UserError
from simteacher.evaluate import evaluate, evaluate_model
from simteacher.labels import SPACES, LabelSpace
from tests import lookalikes
from tests.stub_model import SPACE, StubModel, blocks, stub_loaded


def write(out: Path, count: int = 5, wrong: int = 0, space: LabelSpace = SPACE, sizes: tuple[int, ...] = (64,)) -> Path:
    """A data set of blocks whose labels are right but for ``wrong`` images, where every pixel is labelled "bright"."""
    with FolderWriter(out, space, {}) as writer:
        for n in range(count):
            image, label = blocks(n, width=sizes[n % len(sizes)])
            writer.add(f"f{n}", image, label=np.full_like(label, 2) if n < wrong else label, split="val")
    return out


def test_perfect_and_by_hand(tmp_path: Path) -> None:
    model = stub_loaded(tmp_path)
    result = evaluate(model, write(tmp_path / "right", sizes=(64, 72)), "val")
    assert result == {
        "miou": 1.0,
        "pixel_accuracy": 1.0,
        "iou": {"dark": 1.0, "red": 1.0, "bright": 1.0},
        "images": 5,
        "split": "val",
        "model": str(model.path),
    }
    json.dumps(result)
    part = evaluate(model, write(tmp_path / "wrong", wrong=2))
    pred = np.concatenate([blocks(n)[1].ravel() for n in range(5)])
    true = np.concatenate([np.full_like(blocks(n)[1], 2).ravel() if n < 2 else blocks(n)[1].ravel() for n in range(5)])
    for k, name in enumerate(SPACE.classes):
        assert part["iou"][name] == pytest.approx(((pred == k) & (true == k)).sum() / ((pred == k) | (true == k)).sum())
    assert part["pixel_accuracy"] == pytest.approx((pred == true).mean())


def test_another_label_space_is_met_by_name(tmp_path: Path) -> None:
    """The model says "dark", "red", "bright"; the labels are in another order, and know nothing of "red"."""
    other = LabelSpace("other", ("bright", "green", "dark"), ((255, 255, 255), (0, 255, 0), (0, 0, 0)), {})
    out = tmp_path / "data"
    with FolderWriter(out, other, {}) as writer:
        image, label = blocks(0)
        writer.add("f", image, label=np.array([2, 1, 0], np.uint8)[label])
    result = evaluate(stub_loaded(tmp_path), out, classes=_yaml(tmp_path, other))
    assert result["iou"] == {"bright": 1.0, "green": 0.0, "dark": 1.0}
    assert result["pixel_accuracy"] == pytest.approx((label != 1).mean())


def test_a_class_that_no_label_can_show_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Labels of a set without "red": what the model calls so counts 0, though nobody could have labelled it."""
    image, label = blocks(0)
    other = LabelSpace("other", ("bright", "dark"), ((255, 255, 255), (0, 0, 0)), {})
    for name, truth in (("wrong", [1, 1, 0]), ("ignored", [1, 255, 0])):
        with FolderWriter(tmp_path / name, other, {}) as writer:
            writer.add("f", image, label=np.array(truth, np.uint8)[label])
    result = evaluate(stub_loaded(tmp_path), tmp_path / "wrong")
    assert result["iou"]["red"] == 0 and result["unnameable"] == ["red"]
    said = capsys.readouterr().err
    assert "0 in the mean, as the model names them" in said and "red; --classes" in said
    fair = evaluate(stub_loaded(tmp_path), tmp_path / "ignored")  # named nowhere that a label is: not in the mean
    assert fair["iou"]["red"] is None and fair["miou"] == 1 and "unnameable" not in fair
    assert "unnameable" not in evaluate(stub_loaded(tmp_path), tmp_path / "wrong", classes=other)
    assert "unnameable" not in evaluate(stub_loaded(tmp_path), write(tmp_path / "data", wrong=5)), "it could be shown"


def test_of_corrected_images_those_that_were_not_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `handover` reads back holds all photographs, to learn from; those with a label are what can be measured."""
    with FolderWriter(tmp_path / "back", SPACE, {"kind": "corrected labels", "source": "x"}) as writer:
        for n in range(4):
            image, label = blocks(n)
            writer.add(f"f{n}", image, label=label) if n < 2 else writer.add(f"f{n}", image)
    assert evaluate(stub_loaded(tmp_path), tmp_path / "back")["images"] == 2
    assert "2 of 4 images are measured, those that were corrected" in capsys.readouterr().err


@pytest.mark.parametrize(("origin", "told"), [({"kind": "predictions"}, True), ({"kind": "x"}, False), ("mine", False)])
def test_that_labels_are_a_models_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], origin: object, told: bool
) -> None:
    write(tmp_path / "data")
    text = (tmp_path / "data/dataset.yaml").read_text()
    (tmp_path / "data/dataset.yaml").write_text(text[: text.index("origin:")] + f"origin: {json.dumps(origin)}\n")
    evaluate(stub_loaded(tmp_path), tmp_path / "data")
    assert ("its labels are a model's" in capsys.readouterr().err) is told


def _yaml(folder: Path, space: LabelSpace) -> Path:
    import yaml

    path = folder / f"{space.name}.yaml"
    path.write_text(yaml.safe_dump(space.to_dict()))
    return path


def test_no_class_in_common_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data: none of its classes \(dark, red, bright\) is in camvid11"):
        evaluate(stub_loaded(tmp_path), write(tmp_path / "data"), classes="camvid11")
    streets = lookalikes.camvid(tmp_path / "camvid", 2).spec
    with pytest.raises(UserError, match="none of its classes"):
        evaluate(stub_loaded(tmp_path), streets)
    with pytest.raises(UserError, match="none of the model's classes"):
        evaluate(stub_loaded(tmp_path), streets, classes="camvid11")


def test_a_missing_label_names_the_image(tmp_path: Path) -> None:
    out = write(tmp_path / "data")
    (out / "labels" / "f3.png").unlink()
    with pytest.raises(UserError, match=r"f3\.png: this image has no label"):
        evaluate(stub_loaded(tmp_path), out)


def test_the_worst_are_kept_worst_first(tmp_path: Path) -> None:
    dataset = open_dataset(write(tmp_path / "data", wrong=1), "val")
    evaluate_model(StubModel(), dataset, SPACE, keep=tmp_path)
    assert sorted(p.name for p in (tmp_path / "worst").glob("*.jpg"))[0] == "1-f0.jpg"
    assert len(list((tmp_path / "worst").iterdir())) == 3 * 5
    assert sorted(p.stem for p in (tmp_path / "samples").glob("*.jpg")) == ["f0", "f1", "f3", "f4"]
    assert (tmp_path / "samples" / "f3_label.png").read_bytes() == (tmp_path / "samples" / "f3.png").read_bytes()
    with (
        Image.open(tmp_path / "worst" / "1-f0.png") as mask,
        Image.open(tmp_path / "worst" / "1-f0_label.png") as label,
    ):
        np.testing.assert_array_equal(mask, blocks(0)[1])
        assert (np.asarray(label) == 2).all() and label.mode == "P"


def test_genuine_labels_read_as_themselves_score_one(shared_data: Path) -> None:
    """A model that answers with the genuine label of each photograph is perfect, and says so image by image."""
    from simteacher.data import read_label

    dataset = open_dataset(f"camvid:{shared_data / 'camvid'}", "val")
    dataset = dataset.subset(dataset.frames[:3])
    space = SPACES["camvid11"]
    answers = [read_label(dataset, f, space) for f in dataset.frames]

    class Oracle(StubModel):
        def logits(self, image_BCHW):  # type: ignore[no-untyped-def]
            import torch

            label = torch.from_numpy(np.stack(answers).clip(max=10).astype(np.int64))
            return torch.nn.functional.one_hot(label, 11).permute(0, 3, 1, 2).float()

    oracle = Oracle()
    oracle.card.space, oracle.card.size = space, (480, 360)
    result = evaluate_model(oracle, dataset, space, views=1)
    assert result["pixel_accuracy"] == 1.0 and result["miou"] == 1.0 and result["images"] == 3
