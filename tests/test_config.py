"""Recipes: every wrong key or value is answered with the place, the nearest name and the fix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from simteacher.config import BUDGETS, Network, Recipe
from simteacher.errors import UserError
from simteacher.recipe_file import load_recipe, parse_set, with_options
from simteacher.recipes import folder


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seeed: 3", "unknown key 'seeed'; did you mean 'seed'?"),
        ("rounds: {cuont: 3}", "unknown key 'rounds.cuont'; did you mean 'count'?"),
        ("rounds: {pseudo: {treshold: 0.5}}", "unknown key 'rounds.pseudo.treshold'; did you mean 'threshold'?"),
        ("teacher: {augment: {color: 1}}", "unknown key 'teacher.augment.color'; did you mean 'colour'?"),
        ("budget: {steps: 3, bacth: 2, size: [64, 48], crop: [64, 32]}", "'budget.bacth'; did you mean 'batch'?"),
        (
            "budget: {steps: 3, batch: 2, size: [64, 48], crop: [60, 32]}",
            "'budget.crop' is [60, 32]: must be multiples",
        ),
        ("budget: {steps: 3, batch: 2, size: [64, 48], crop: [0, 32]}", "'budget.crop'"),
        ("budget: {steps: 3, batch: 2, size: [0, 48], crop: [64, 32]}", "'budget.size'"),
        ("budget: {steps: 0, batch: 2, size: [64, 48], crop: [64, 32]}", "'budget.steps' is 0"),
        ("budget: quik", "unknown budget 'quik'; did you mean 'quick'?"),
        ("rounds: {mix: clasmix}", "'rounds.mix' is 'clasmix'"),
        ("optimiser: {lr: fast}", "'optimiser.lr' is 'fast'"),
        ("optimiser: {lr: 0}", "'optimiser.lr' is 0"),
        ("optimiser: {lr: .inf}", "'optimiser.lr' is inf"),
        ("optimiser: {lr: .nan}", "'optimiser.lr' is nan"),
        ("labelled: true", "'labelled' is True: a number or a word is wanted, not true"),
        ("rounds: {count: yes}", "'rounds.count' is True"),
        ("budget: {steps: true, batch: 2, size: [64, 48], crop: [64, 32]}", "'budget.steps' is True"),
        ("seed: -1", "'seed' is -1"),
        ("rounds: {augment: {scale: [2, 1]}}", "the smaller first"),
        ("teacher: {augment: {scale: [0, 1]}}", "above 0"),
        ("rounds: {pseudo: {portion: []}}", "'rounds.pseudo.portion' is []"),
        ("rounds: {pseudo: {portion: [0.5, 1.5]}}", "'rounds.pseudo.portion.1' is 1.5"),
        ("rounds: 3", "'rounds' is 3"),
        ("optimiser: {ema: 0}\nrounds: {online: true}", "optimiser.ema is 0"),
        ("optimiser: {ema: 0}\nteacher: {objectives: {masked: 1}}", "optimiser.ema is 0"),
        ("optimiser: {ema: 0}\nrounds: {objectives: {two_views: 1}}", "optimiser.ema is 0"),
        ("optimiser: {ema: 0}\nteacher: {objectives: {contrast: 1}}", "optimiser.ema is 0"),
        ("rounds: {online: true, objectives: {two_views: 1}}", "the same labels of the averaged network twice"),
        ("rounds: {mix_labelled: source, source_share: 0}", "rounds.source_share leaves none"),
        ("rounds: {mix_labelled: source, source_share: 0.25}", "leaves none beside the labelled photographs"),
        ("teacher: {objectives: {entropy_maps: true}}", "teacher.objectives.entropy_maps is what a discriminator sees"),
        ("rounds: {objectives: {entropy_maps: true}}", "rounds.objectives.entropy_maps is what a discriminator sees"),
        ("rounds: {pseudo: {select: threshold, floor: 0.5}}", "rounds.pseudo.floor belongs to"),
        ("rounds: {online: true, pseudo: {prototypes: 1}}", "with rounds.online there are none"),
        ("rounds: {rectified: true, objectives: {aux: 0}}", "rounds.rectified compares the two heads"),
        ("labelled: all\nteacher: {objectives: {feature_distance: 1}}", "source images, and there is no source"),
        (
            "rounds: {source_share: 0, objectives: {feature_distance: 1}}",
            "rounds.source_share leaves none in",
        ),
        ("rounds: {source_share: 0, objectives: {adversarial: 0.001}}", "learns from labels too"),
        (
            "budget: {steps: 1, batch: 1, size: [64, 48], crop: [32, 32]}\nrounds: {objectives: {contrast: 1}}",
            "labels too",
        ),
        (
            "budget: {steps: 1, batch: 1, size: [64, 48], crop: [32, 32]}\nsource: a\nlabelled: all",
            "a batch of 1 has no place for a labelled photograph",
        ),
        ("with_labels: {teacher: {shaer: 0.5}}", "unknown key 'teacher.shaer'; did you mean 'share'?"),
        ("with_labels: {rounds: {mix_labelled: source, source_share: 0}}", "rounds.source_share leaves none"),
        ("with_labels: 3", "'with_labels' is 3"),
        ("- a\n- b", "a recipe is a mapping"),
        ("seed: 1\nbudget: {", "not valid YAML at line 2"),
    ],
)
def test_wrong_recipes(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_recipe(path)
    assert said in caught.value.problem
    assert caught.value.where in (str(path), "budget") and caught.value.fix


def test_not_text(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not valid YAML"):
        load_recipe(tmp_path / "r.yaml")


@pytest.mark.parametrize(
    ("overrides", "where"),
    [
        ({"seeed": 3}, "--set seeed"),
        ({"optimiser.lr": "fast"}, "--set optimiser.lr"),
        ({"rounds": {"cuont": 1}}, "--set rounds"),
        ({"seed.deep": 3, "target": "x"}, "--set seed.deep"),
    ],
)
def test_errors_of_the_command_line_name_the_command_line(overrides: dict[str, Any], where: str) -> None:
    with pytest.raises(UserError) as caught:
        load_recipe("quick", overrides)
    assert caught.value.where == where


def test_set_reaches_every_key(tmp_path: Path) -> None:
    """Each leaf of the resolved recipe, set to its own value, is accepted and changes nothing else."""
    tree = load_recipe("smoke", {"source": "a", "target": "b"}).model_dump(mode="json")

    def leaves(part: Any, prefix: str = "") -> dict[str, Any]:
        if isinstance(part, dict) and prefix != "network.decoder_options.":
            return {k: v for key, sub in part.items() for k, v in leaves(sub, f"{prefix}{key}.").items()}
        return {prefix.rstrip("."): part}

    keys = leaves(tree)
    assert len(keys) > 60 and "rounds.pseudo.views" in keys
    for key, value in keys.items():
        assert load_recipe("smoke", {"source": "a", "target": "b", key: value}).model_dump(mode="json") == tree, key


def test_options_are_keys_too_and_may_be_said_twice_but_not_otherwise() -> None:
    assert with_options({"seed": 3}, {"source": "a", "target": None}) == {"seed": 3, "source": "a"}
    assert with_options({"labelled": 5}, {"labelled": "5"}) == {"labelled": "5"}
    with pytest.raises(UserError, match="--set source: 'source' is also given as an option, 'a'"):
        with_options({"source": "b"}, {"source": "a"})


def test_the_order_of_keys_does_not_matter_and_none_is_set_twice(tmp_path: Path) -> None:
    for keys in (["budget.steps=2", "budget=quick"], ["budget=quick", "budget.steps=2"]):
        assert load_recipe("smoke", parse_set(keys)).resolved_budget.steps == 2
    with pytest.raises(UserError, match="'seed' is set twice"):
        parse_set(["seed=3", "seed=4"])
    assert load_recipe("smoke", {"labelled": "2"}) == load_recipe("smoke", {"labelled": 2})
    assert with_options({}, {"source": Path("a")}) == {"source": "a"}


def test_set_can_empty_a_key(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("source: x\ntarget: y\n")
    assert load_recipe(tmp_path / "r.yaml", parse_set(["source=null"])).source is None


def test_one_number_of_a_named_budget(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("budget: quick\n")
    (tmp_path / "bare.yaml").write_text("")
    quick = BUDGETS["quick"]
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert f"Budget `quick`: {quick.steps} steps" in readme, "its numbers are of this budget"
    assert load_recipe(tmp_path / "r.yaml", {"budget.batch": 8}).resolved_budget == quick.model_copy(
        update={"batch": 8}
    )
    laptop = BUDGETS["laptop"].model_copy(update={"steps": 5})
    assert load_recipe(tmp_path / "bare.yaml", {"budget.steps": 5}).resolved_budget == laptop


def test_parse_set_reads_yaml() -> None:
    pairs = ["seed=3", "rounds.pseudo.portion=[0.2, 0.3]", "source=a=b", "batchnorm=0.5", "rounds.online=true"]
    assert parse_set(pairs) == {
        "seed": 3,
        "rounds.pseudo.portion": [0.2, 0.3],
        "source": "a=b",
        "batchnorm": 0.5,
        "rounds.online": True,
    }
    for wrong in ("seed", "=3", "a={"):
        with pytest.raises(UserError) as caught:
            parse_set([wrong])
        assert caught.value.where == f"--set {wrong}"


def test_resolved_recipes_read_back_as_themselves(tmp_path: Path) -> None:
    """What a run writes as config.yaml is a recipe, and the same one."""
    for shipped in folder().glob("*.yaml"):
        loaded = load_recipe(shipped)
        (tmp_path / "r.yaml").write_text(yaml.safe_dump(loaded.model_dump(mode="json")))
        assert load_recipe(tmp_path / "r.yaml") == loaded


def test_with_labels_holds_where_there_are_labels_and_yields_to_what_is_set_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("teacher: {share: 0.1, lr_factor: 0.25}\nwith_labels: {teacher: {share: 0.5}, rounds: {count: 1}}")

    def read(**overrides: Any) -> tuple[float, float, int]:
        recipe = load_recipe(path, {k.replace("__", "."): v for k, v in overrides.items()})
        again = tmp_path / "resolved.yaml"
        again.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
        assert load_recipe(again) == recipe
        return recipe.teacher.share, recipe.teacher.lr_factor, recipe.rounds.count

    assert read() == (0.1, 0.25, 2)
    assert read(labelled=None) == (0.1, 0.25, 2)
    assert read(labelled=37) == read(labelled="all") == (0.5, 0.25, 1)
    assert read(labelled=37, teacher__share=0.2) == (0.2, 0.25, 1)
    assert read(labelled=37, teacher__lr_factor=1.0) == (0.5, 1.0, 1)
    assert read(labelled=37, rounds={"count": 3}) == (0.5, 0.25, 3)
    assert read(labelled=37, with_labels={}) == (0.1, 0.25, 2)


def test_options_follow_the_decoder() -> None:
    assert load_recipe("quick").network.decoder_options == {
        "decoder_pyramid_channels": 128,
        "decoder_segmentation_channels": 64,
    }
    assert load_recipe("quick", {"network.decoder": "unet"}).network.decoder_options == {}
    own = {"network.decoder_options": {"decoder_pyramid_channels": 64}}
    assert load_recipe("quick", own).network.decoder_options == {
        "decoder_pyramid_channels": 64,
        "decoder_segmentation_channels": 64,
    }
    one = {"network.decoder": "pspnet", "network.decoder_options.psp_out_channels": 256}
    stride = {"encoder_depth": 5, "output_stride": 8}
    assert load_recipe("quick", one).network.decoder_options == {**stride, "psp_out_channels": 256}
    one["network.decoder_options.output_stride"] = 16
    assert load_recipe("quick", one).network.decoder_options["output_stride"] == 16
    one["network.decoder_options.output_stride"] = None
    network = load_recipe("quick", one).network
    assert network.options == {k: v for k, v in network.decoder_options.items() if k != "output_stride"}


def test_a_card_has_the_options_that_its_network_was_built_with() -> None:
    for options in ({}, {"psp_out_channels": 256}):
        card = {**Network(decoder="pspnet").model_dump(), "decoder_options": options}
        assert Network.of_card(card).decoder_options == options


def test_budgets_are_what_the_network_can_take() -> None:
    for name, budget in BUDGETS.items():
        assert budget.crop[0] <= budget.size[0] * 1.3 and budget.crop[1] <= budget.size[1] * 1.3, name
    assert Recipe(budget=BUDGETS["quick"]).resolved_budget == Recipe(budget="quick").resolved_budget
