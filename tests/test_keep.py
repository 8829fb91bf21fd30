"""What a stage keeps of the weights that it started from (`teacher.keep`, `rounds.keep`), on whole runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from simteacher.adapt import adapt
from simteacher.errors import UserError
from simteacher.models.store import load
from tests import lookalikes, tiny

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("keep")
    source, target = lookalikes.gta5(root / "gta5", 4), lookalikes.camvid(root / "camvid", 9)
    return tiny.recipe(root / "tiny.yaml", source.spec, target.spec)


@pytest.fixture(scope="module")
def finished(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that the others start from."""
    return adapt(recipe, out=tmp_path_factory.mktemp("finished") / "run")


def _mean(kept: Path, other: Path, keep: float) -> dict[str, torch.Tensor]:
    a, b = (load_file(p / "model.safetensors") for p in (kept, other))
    return {k: keep * a[k] + (1 - keep) * v for k, v in b.items() if v.is_floating_point()}


def test_a_stage_keeps_the_share_of_its_start_that_the_recipe_names(
    finished: Path, recipe: Path, tmp_path: Path
) -> None:
    """By hand, from the same stage with nothing kept: a student of its teacher, a teacher of the model it began as."""
    student = {"teacher.weights": str(finished / "teacher"), "rounds.count": 1, "batchnorm": 0.0, "eval_data": None}
    teacher = {"network.weights": str(finished), "rounds.count": 0, "eval_data": None}
    for name, settings, start in (("round-1", student, finished / "teacher"), ("teacher", teacher, finished)):
        key = "rounds.keep" if name == "round-1" else "teacher.keep"
        all_new, some = (
            adapt(recipe, out=tmp_path / f"{name}-{k}", set={**settings, key: k}) / name for k in (0.0, 0.25)
        )
        found = load_file(some / "model.safetensors")
        for k, v in _mean(start, all_new, 0.25).items():
            torch.testing.assert_close(found[k], v, msg=f"{name} {k}")
        assert any(not torch.equal(v, found[k]) for k, v in load_file(all_new / "model.safetensors").items())


def test_of_a_start_that_is_no_model_nothing_is_kept(finished: Path, recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--set teacher.keep: it does nothing here: .* network.weights is none"):
        adapt(recipe, out=tmp_path / "run", set={"teacher.keep": 0.5})
    tree = {**yaml.safe_load(recipe.read_text()), "teacher": {"keep": 0.5}}  # may be for other starts besides
    (tmp_path / "keeps.yaml").write_text(yaml.safe_dump(tree))
    run = adapt(tmp_path / "keeps.yaml", out=tmp_path / "run", set={"rounds.count": 0, "eval_data": None})
    short, whole = (load(r / "teacher").card.trained_on["steps"] for r in (finished, run))
    assert short < whole  # without rounds it has all the steps
    again = adapt(recipe, out=tmp_path / "again", set={"teacher.keep": 0.0, "rounds.count": 0, "eval_data": None})
    assert (run / "model.safetensors").read_bytes() == (again / "model.safetensors").read_bytes()
