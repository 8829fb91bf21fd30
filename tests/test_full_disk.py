"""A disk that is full again and again during a run: each time one message, and in the end the undisturbed result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simteacher.adapt import adapt
from simteacher.errors import UserError
from simteacher.rundir import read_events
from tests import lookalikes, tiny, two_processes

MOMENTS = (  # what cannot be written, and how many such files still fit
    ("provenance.json", 0),
    ("teacher/.part-state.safetensors", 1),
    ("metrics.jsonl", 2),
    ("teacher/.part-model.json", 0),
    ("teacher/.part-model.safetensors", 0),
    ("teacher/samples/", 3),
    ("pseudo/.raw/", 2),
    ("pseudo/labels/", 1),
    ("pseudo/.part-dataset.yaml", 0),
    ("round-1/.part-state.safetensors", 1),
    ("round-1/.part-model.safetensors", 0),
    ("run/.part-model.safetensors", 0),
    ("run/.part-report.html", 0),
)


def results(run: Path) -> dict[str, bytes]:
    """Everything that a run keeps, but what names times."""
    kept = [
        *run.glob("**/*.safetensors"),
        *run.glob("**/model.json"),
        *run.glob("*/pseudo/**/*.*"),
        *run.glob("*/samples/*"),
    ]
    return {str(path.relative_to(run)): path.read_bytes() for path in kept if path.is_file()}


def steps(run: Path) -> list[tuple[str, int, float]]:
    return [(e["stage"], e["step"], e["loss"]) for e in read_events(run) if e["event"] == "step"]


@pytest.mark.slow
def test_full_at_every_kind_of_file(tmp_path: Path, full_disk: Callable[..., Any]) -> None:
    source, target = lookalikes.gta5(tmp_path / "source", 4), lookalikes.camvid(tmp_path / "target", 6)
    recipe = tiny.recipe(tmp_path / "recipe.yaml", source.spec, target.spec, **two_processes.CHANGES)

    def go(name: str) -> None:
        adapt(recipe, out=tmp_path / name / "run", network=two_processes.network)

    go("undisturbed")
    for fragment, fitting in MOMENTS:
        full_disk(f"disturbed/run/{fragment}" if fragment.startswith("round") else fragment, fitting)
        with pytest.raises(UserError, match="the disk is full") as caught:
            go("disturbed")
        assert fragment.replace(".part-", "").rstrip("/") in str(caught.value.where), fragment
        assert "run the same command" in str(caught.value.fix)
        assert not list((tmp_path / "disturbed").rglob(".part-*"))
    full_disk("nothing is called this")
    go("disturbed")
    ours, theirs = (tmp_path / name / "run" for name in ("undisturbed", "disturbed"))
    assert results(ours).keys() == results(theirs).keys()
    assert [name for name, content in results(ours).items() if results(theirs)[name] != content] == []
    assert steps(ours) == steps(theirs)
    assert (theirs / "report.html").is_file()
