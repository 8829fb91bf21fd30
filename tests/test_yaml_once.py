"""Keys that stand twice: refused with both lines in each kind of file that people write; what YAML allows stays."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from simteacher.data.dataset_yaml import read_dataset_yaml
from simteacher.errors import UserError
from simteacher.labels import load_space
from simteacher.recipe_file import load_recipe
from simteacher.scenes.scenefile import load_scene
from simteacher.yaml_once import load_yaml

READERS = {
    "recipe.yaml": (load_recipe, "seed: 1\nbudget: smoke\nseed: 2\n"),
    "scene.yaml": (load_scene, "light:\n  fog: [0, 1]\n  fog: [0, 0]\n"),
    "dataset.yaml": (lambda path: read_dataset_yaml(path.parent), "ids:\n  7: road\n  7: sidewalk\n"),
    "space.yaml": (load_space, "name: mine\nclasses: [road]\nname: yours\n"),
}


@pytest.mark.parametrize("name", READERS)
def test_a_key_that_stands_twice_is_refused_by_its_lines(tmp_path: Path, name: str) -> None:
    read, text = READERS[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as told:
        read(tmp_path / name)
    last, rest = text.splitlines()[-1], text.splitlines()[:-1]
    first = next(at for at, line in enumerate(rest, 1) if line.split(":")[0] == last.split(":")[0])
    message = str(told.value).replace(str(tmp_path), "")
    assert name in message and f"twice, first in line {first}" in message and str(len(rest) + 1) in message


def test_all_else_reads_as_the_library_reads_it() -> None:
    text = "a: &a {x: 1, y: [1, {x: 2}]}\nb: {<<: *a, x: 3}\nc: {1: one, '1': text}\nd:\n- {x: 1}\n- {x: 1}\n"
    assert load_yaml(text) == yaml.safe_load(text)
    with pytest.raises(yaml.YAMLError):
        load_yaml("!!python/object/apply:os.getcwd []")
