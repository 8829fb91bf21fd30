"""The teacher that comes with the tool: found by name, used by fewer words, started from, packed; and what ships."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file
from tools import pack_teacher
from tools.pack_teacher import LARGEST, pack

import simteacher
from simteacher import cli, precision, shipped
from simteacher.config import Network, Recipe
from simteacher.data import open_dataset
from simteacher.errors import UserError
from simteacher.given import take_teacher
from simteacher.labels import SPACES
from simteacher.models.store import ModelCard, load, save_model
from tests import lookalikes, tiny
from tests.stub_model import blocks

CITYSCAPES = SPACES["cityscapes19"]


def save(folder: Path, seed: int = 0) -> Path:
    """A tiny network of all 19 classes."""
    card = ModelCard(Network(**tiny.NETWORK).model_dump(), CITYSCAPES, (64, 48))
    save_model(folder, tiny.network(len(CITYSCAPES), seed), card)
    return folder


@pytest.fixture
def street(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny one in place of the real one; the test's folder is the current one."""
    monkeypatch.setattr(shipped, "FOLDER", save(tmp_path / "package" / "street"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    Image.fromarray(blocks(1)[0]).save("photo.png")
    return shipped.FOLDER


def test_it_is_found_by_name_and_a_model_of_ones_own_comes_first(street: Path) -> None:
    assert load("street").path == street / "model.safetensors"
    Path("street").mkdir()
    assert load("street").path == street / "model.safetensors", "a folder of other things, such as renders"
    save(Path("street"), seed=3)
    assert load("street").path == Path("street/model.safetensors").absolute()


def test_a_name_nearly_right_and_an_installation_without_it(
    street: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="did you mean 'street'"):
        load("stret")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "nowhere")
    with pytest.raises(UserError, match="missing here"):
        load("street")


def test_one_word_is_read_and_said_where(street: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["predict", "photo.png"]) == 0
    said = "".join(capsys.readouterr())
    assert "street" in said and "rendered streets only" in said and "runs/predict/photo" in said
    dataset = open_dataset(Path("runs/predict/photo"))
    assert [f.name for f in dataset.frames] == ["photo"] and dataset.frames[0].label is not None
    Path("photos").mkdir()
    Path("photo.png").rename("photos/photo.png")
    assert cli.main(["label", "photos"]) == 0
    assert len(open_dataset(Path("runs/label/photos"))) == 1


def test_two_words_are_model_and_input(street: Path) -> None:
    own = save(Path("mine"), seed=2)
    assert simteacher.predict(own, "photo.png") == Path("runs/predict/photo")
    assert simteacher.predict("street", "photo.png", "out") == Path("out")
    assert simteacher.predict(load("street"), "photo.png", "loaded") == Path("loaded")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["photo.png", "out"], "no model; the first of several words is the MODEL"),
        (["street"], "nothing is named for it to read"),
        (["mine"], "nothing is named for it to read"),
        (["nowhere.png"], "no such file or folder"),
        (["runs/typo", "photo.png"], "no such model"),
    ],
)
def test_words_that_do_not_fit_are_explained(
    words: list[str], message: str, street: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(Path("mine"))
    assert cli.main(["predict", *words]) == 2
    said = capsys.readouterr().err
    assert message in said and "fix:" in said and not Path("runs").exists()


@pytest.mark.parametrize(
    ("word", "name"),
    [("a/photo.jpg", "photo"), ("a/photos", "photos"), ("a/photos/*.jpg", "photos"), ("camvid:a/set", "set")],
)
def test_places_are_called_after_what_is_read(word: str, name: str) -> None:
    assert shipped.arguments("predict", "street", word, None)[2] == Path("runs/predict", name)


def test_adapt_starts_from_it_with_other_classes(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tiny.source(tmp_path), lookalikes.camvid(tmp_path / "camvid")
    recipe = tiny.recipe(tmp_path / "r.yaml", f"gta5:{source.root}", target.spec, batchnorm=0)
    run = simteacher.adapt(recipe, out="run", set={"teacher.weights": "street"})
    said = "".join(capsys.readouterr())
    assert "19 classes (cityscapes19) are matched by name to camvid11" in said
    teacher = load(run / "teacher").card
    assert teacher.space == SPACES["camvid11"] and teacher.extra["taken_from"] == "street"
    assert load(run).card.space == SPACES["camvid11"]
    assert simteacher.adapt(recipe, out="run", set={"teacher.weights": "street"}) == run


def test_a_given_teacher_reads_in_the_views_of_its_students(street: Path) -> None:
    for views in (1, 3):
        card = take_teacher(Recipe(views=views, teacher={"weights": "street"}), SPACES["cityscapes19"], None).card
        assert card.views == views and card.extra.get("views_before") == (None if views == 3 else 3)


def test_adapt_refuses_another_network_before_it_makes_a_folder(street: Path, tmp_path: Path) -> None:
    source, target = tiny.source(tmp_path), lookalikes.camvid(tmp_path / "camvid")
    recipe = tiny.recipe(tmp_path / "r.yaml", f"gta5:{source.root}", target.spec)
    with pytest.raises(UserError, match="encoder: test_efficientnet there, test_resnet in the recipe") as caught:
        simteacher.adapt(recipe, out="run", set={"teacher.weights": "street", "network.encoder": "test_resnet"})
    assert "network.encoder=test_efficientnet" in str(caught.value.fix) and not Path("run").exists()


def finished(root: Path, kind: str = "simteacher render", **changes: object) -> Path:
    """What a run on two renders leaves, as far as packing looks at it."""
    run = save(root / "run")
    recipe = {"labelled": None, "rounds": {"count": 0}, "teacher": {"weights": None}}
    recipe["network"] = {"weights": "imagenet"}
    for role in ("source", "target"):
        place = root / "renders" / role
        (place / "images").mkdir(parents=True)
        Image.fromarray(blocks(1)[0]).save(place / "images" / "1.png")
        tree = {"version": 1, "space": "cityscapes19", "origin": {"made by": kind, "seed": 4}}
        (place / "dataset.yaml").write_text(yaml.safe_dump(tree))
        recipe[role] = str(place)
    (run / "config.yaml").write_text(yaml.safe_dump({**recipe, **changes}))
    command = f"simteacher adapt teacher --source {recipe['source']} --set eval_data={recipe['target']} --out runs/a"
    facts = {k: None for k in ("seed", "started", "python", "processors", "versions", "git_commit", "data", "images")}
    (run / "provenance.json").write_text(json.dumps({**facts, "command": command}))
    return run


@pytest.mark.parametrize("bf16", [True, False])
def test_packing_halves_the_file_and_changes_no_answer(
    bf16: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (precision, pack_teacher):
        monkeypatch.setattr(module, "has_bf16", lambda device: bf16)
    run, out = finished(tmp_path), tmp_path / "out"
    measured = pack(run, out)
    before, after = load_file(run / "model.safetensors"), load_file(out / "model.safetensors")
    for name, old in before.items():
        if old.ndim > 1:
            assert torch.equal(after[name], old.bfloat16())
        else:
            assert torch.equal(after[name], old)
    assert (
        measured["bytes"]
        == (out / "model.safetensors").stat().st_size
        < 0.6 * (run / "model.safetensors").stat().st_size
    )
    if bf16:
        assert measured["agreement"] == 1.0 and measured["largest_difference"] == 0.0
    else:  # this is no trained network, whose answers are closer to each other than those of one that learned
        assert 0.98 <= measured["agreement"] < 1 and 0 < measured["largest_difference"] < 0.05
    own = {k: v for k, v in tiny.network(19).state_dict().items() if v.is_floating_point()}
    loaded = load(out).network
    assert loaded is not None and all(v.dtype == own[k].dtype for k, v in loaded.state_dict().items() if k in own)
    told = json.loads((out / "provenance.json").read_text())
    assert told["command"] == "simteacher adapt teacher --source source --set eval_data=target --out runs/a"
    assert told["renders"]["source"] == {"made by": "simteacher render", "seed": 4, "images": 1}
    assert str(tmp_path) not in (out / "provenance.json").read_text() + (out / "model.json").read_text()


def test_packing_keeps_what_the_one_before_was_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack_teacher, "FOLDER", tmp_path / "shipped")
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "provenance.json").write_text(json.dumps({"command": "the first", "seed": 7}))
    pack(finished(tmp_path, network={"weights": "street"}), tmp_path / "out")
    told = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert told["went on from"] == {"command": "the first", "seed": 7} and told["command"] != "the first"


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("a camera", {}, "is no render of this tool"),
        ("simteacher render", {"labelled": 3}, "did more than train a teacher"),
        ("simteacher render", {"rounds": {"count": 1}}, "did more than train a teacher"),
        ("simteacher render", {"network": {"weights": "runs/photographs"}}, "nothing is known of the renders behind"),
    ],
)
def test_what_saw_more_than_renders_is_not_packed(
    kind: str, changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        pack(finished(tmp_path, kind, **changes), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not (shipped.FOLDER / shipped.WEIGHTS).is_file(), reason="this checkout has no packed teacher yet")
def test_what_ships(tmp_path: Path) -> None:
    """Small enough, of renders alone, and it reads a street that it has never seen."""
    assert (shipped.FOLDER / shipped.WEIGHTS).stat().st_size <= LARGEST
    model, told = load("street"), json.loads((shipped.FOLDER / "provenance.json").read_text(encoding="utf-8"))
    assert model.card.space == CITYSCAPES and model.card.trained_on["labelled"] == 0
    makers = [part["renders"] for part in (told, told.get("went on from", told))]
    assert {r["made by"] for renders in makers for r in renders.values()} == {"simteacher render"}
    assert told["recipe"]["rounds"]["count"] == 0 and told["packed"]["agreement"] > 0.98
    assert model.network is not None
    assert all(p.isfinite().all() for p in model.network.parameters())
    render = import_module("simteacher.scenes.render").render
    render(tmp_path / "streets", frames=2, size=(320, 240), seed=990001, workers=1)
    seen = simteacher.evaluate(model, f"folder:{tmp_path / 'streets'}")
    assert np.isfinite(seen["miou"]) and seen["pixel_accuracy"] > 0.75


def test_an_input_is_noted_as_what_it_is_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "w" / "photos").mkdir(parents=True)
    (tmp_path / "w" / "21:42").mkdir()
    monkeypatch.chdir(tmp_path / "w")
    here = f"{tmp_path}/w"
    for said, noted in (
        ("photos", f"{here}/photos"), ("../w/photos/", f"{here}/photos"), ("camvid:photos", f"camvid:{here}/photos"),
        ("21:42", f"{here}/21:42"), (f"{here}/21:42", f"{here}/21:42"), ("a:b", f"{here}/a:b"),
        ("*.jpg", f"{here}/*.jpg"),
    ):  # fmt: skip
        assert shipped.whereabouts(said) == noted, said
    moved = f"{tmp_path}/before/photos"
    assert shipped.whereabouts("photos", moved) == moved, "its folder is called otherwise now"
    assert shipped.whereabouts("camvid:photos", moved) == f"camvid:{here}/photos"
    (tmp_path / "before" / "photos").mkdir(parents=True)
    assert shipped.whereabouts("photos", moved) == f"{here}/photos", "both are there: another one"
