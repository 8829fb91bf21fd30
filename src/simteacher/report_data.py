"""Reads a run folder into plain Python values for `report`; opens nothing outside of it and forgives what is not there.

A run may be unfinished, killed while writing its last log line, or made without evaluation labels: each part is read
alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from simteacher.errors import UserError

TEACHER = "teacher"


@dataclass(slots=True)
class Stage:
    """What is known of one stage (`teacher`, `round-1`, …).

    Attributes:
        name: Folder name of the stage.
        steps: Logged training steps in order, one per step number (the last one written wins after a resume).
        evals: Evaluations of this stage in the order written.
        pseudo: The `pseudo` event, or empty.
        guard: The `guard` event, or empty.
        validators: Label-free scores by name.
        samples: Sample name -> its mask file; the photograph and the label lie beside it.
    """

    name: str
    steps: list[dict[str, Any]] = field(default_factory=list)
    evals: list[dict[str, Any]] = field(default_factory=list)
    pseudo: dict[str, Any] = field(default_factory=dict)
    guard: dict[str, Any] = field(default_factory=dict)
    validators: dict[str, float] = field(default_factory=dict)
    samples: dict[str, Path] = field(default_factory=dict)

    @property
    def reverted(self) -> bool:
        """Whether the guard refused what this stage learned."""
        return self.guard.get("verdict") == "revert"

    def score(self, data: str | None) -> dict[str, Any]:
        """The last evaluation on ``data``, or an empty dict."""
        return next((e for e in reversed(self.evals) if e.get("data") == data and e.get("miou") is not None), {})


@dataclass(slots=True)
class Run:
    """Everything that the page shows.

    Attributes:
        path: The run folder.
        config: Contents of ``config.yaml``; ``config_text`` is the file itself.
        provenance: Contents of ``provenance.json``.
        card: Contents of ``model.json`` (of the run, else of its last stage that has one).
        stages: In the order in which they happened.
        finished: Whether the final weights are there.
    """

    path: Path
    config: dict[str, Any]
    config_text: str
    provenance: dict[str, Any]
    card: dict[str, Any]
    stages: list[Stage]
    finished: bool

    @property
    def before(self) -> Stage | None:
        """The teacher: the model before it saw the target."""
        return next((s for s in self.stages if s.name == TEACHER), self.stages[0] if self.stages else None)

    @property
    def after(self) -> Stage | None:
        """The stage that became the model, or so far is its best candidate; None when the teacher is all there is."""
        chosen = (self.card.get("extra") or {}).get("stage") if self.finished else None
        done = [s for s in self.stages if s is not self.before and not s.reverted and (s.steps or s.evals or s.samples)]
        return next((s for s in done if s.name == chosen), done[-1] if done else None)

    @property
    def eval_data(self) -> str | None:
        """The data set of the evaluations shown: the last one that the most stages were evaluated on."""
        seen: dict[str, int] = {}
        for stage in self.stages:
            for data in {e["data"] for e in stage.evals if "data" in e}:
                seen[data] = seen.get(data, 0) + 1
        return max(reversed(list(seen)), key=lambda data: seen[data]) if seen else None


def read_run(path: Path) -> Run:
    """Read a run folder.

    Raises:
        UserError: The folder is absent, or holds neither ``config.yaml`` nor ``metrics.jsonl``.
    """
    if not path.is_dir():
        raise UserError("there is no such run folder", path, "give the folder that `simteacher adapt --out` wrote")
    if not (path / "config.yaml").exists() and not (path / "metrics.jsonl").exists():
        raise UserError(
            "this folder is not a run: neither config.yaml nor metrics.jsonl is in it",
            path,
            "give the folder that `simteacher adapt --out` wrote",
        )
    config_text = _text(path / "config.yaml")
    if config_text.strip() and not _mapping(config_text):
        raise UserError("the recipe of a run cannot be read", path / "config.yaml", "give the folder of a run")
    stages = _read_events(path / "metrics.jsonl")
    for folder in sorted(p.parent for p in path.glob("*/samples")):
        stage = stages.setdefault(folder.name, Stage(folder.name))
        masks = sorted((folder / "samples").glob("*.png"))
        stage.samples = {p.stem: p for p in masks if not p.stem.endswith("_label") and p.with_suffix(".jpg").exists()}
    cards = [path / "model.json", *(path / name / "model.json" for name in reversed(stages))]
    return Run(
        path,
        _mapping(config_text),
        config_text,
        _mapping(_text(path / "provenance.json")),
        next((card for card in map(_mapping, map(_text, cards)) if card), {}),
        list(stages.values()),
        (path / "model.safetensors").exists(),
    )


def _read_events(path: Path) -> dict[str, Stage]:
    stages: dict[str, Stage] = {}
    steps: dict[str, dict[int, dict[str, Any]]] = {}
    for line in _text(path).splitlines():
        event = _mapping(line)  # a line that was being written when the run was killed reads as empty
        name = event.get("stage")
        if not isinstance(name, str):
            continue
        stage = stages.setdefault(name, Stage(name))
        kind = event.get("event")
        if kind == "step":
            steps.setdefault(name, {})[int(event.get("step", 0))] = event
        elif kind == "eval":
            stage.evals.append(event)
        elif kind == "pseudo":
            stage.pseudo = event
        elif kind == "guard":
            stage.guard = event
        elif kind == "validator":
            stage.validators |= event.get("scores", {})
    for name, by_step in steps.items():
        stages[name].steps = [by_step[step] for step in sorted(by_step)]
    return stages


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")  # one bad byte spoils one line
    except OSError:
        return ""


def _mapping(text: str) -> dict[str, Any]:
    """Parse JSON or YAML; whatever is not a mapping is an empty one."""
    try:
        value = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):
        return {}
    return value if isinstance(value, dict) else {}
