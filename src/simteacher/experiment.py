"""`simteacher experiment`: one of the method's tables on any pair of data sets, every row at the same budget.

Writes a folder that continues where it was stopped:

    OUT/recipe.yaml              the recipe that the rows change
    OUT/rows/<row>-seed<n>.yaml  each row's own, as `adapt` reads it
    OUT/runs/…, OUT/teachers/…   run folders; rows of one seed whose teachers would be alike share one
    OUT/rows.jsonl               one line a finished row
    OUT/table.md, table.json, plot.svg
"""

from __future__ import annotations

import json
import os
import platform
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from simteacher.adapt import adapt
from simteacher.config import Recipe
from simteacher.data.dataset_yaml import YAML, read_dataset_yaml
from simteacher.data.statistics import fingerprint
from simteacher.errors import UserError, nearest, out_of_memory
from simteacher.experiments import estimate
from simteacher.experiments.claim import claim, same
from simteacher.experiments.plot import bars, curves
from simteacher.experiments.results import Line, collect, keep, kept
from simteacher.experiments.rows import Row, resolve, rows_of, teacher_key, teacher_recipe, to_yaml, with_teacher
from simteacher.experiments.table import as_command, table, to_markdown
from simteacher.files import atomic_write
from simteacher.inputs import measured_print, open_inputs, open_measured, training_split
from simteacher.progress import clock, say
from simteacher.recipe_file import load_recipe, with_options
from simteacher.rundir import clean, git_commit
from simteacher.stages import stage_steps
from simteacher.typed import typed

TITLES = {
    "stages": "Stages of the method",
    "labels": "Labelled photographs needed",
    "methods": "Methods side by side",
    "models": "Networks",
    "sizes": "Image sizes",
}
BLIND = ("stages", "labels", "methods")  # have rows that are to see no label of the target
AXES = {"labels": "labelled photographs", "sizes": "image height, pixels"}


@typed
def experiment(
    kind: str,
    recipe: str | Path,
    out: str | Path | None = None,
    source: str | Path | None = None,
    target: str | Path | None = None,
    eval: str | Path | None = None,
    eval_split: str | None = None,
    seeds: int = 3,
    rows: str | None = None,
    set: dict[str, Any] | None = None,
) -> Path:
    """Run a comparison: every row of it for every seed, with the recipe's steps, batch and size.

    Args:
        kind: stages, labels, methods, models or sizes.
        recipe: YAML file, or the name of one that comes with the tool; the rows change it.
        out: Folder; ``runs/<kind>-<recipe>`` by default. A finished row is not run again.
        source: Labelled synthetic set; overrides the recipe's.
        target: Photographs; overrides the recipe's.
        eval: Labelled photographs to measure on; never used to choose. Without them only label-free scores are kept.
        eval_split: Their split.
        seeds: How many, counted from the recipe's.
        rows: Some of the rows, by name, separated by semicolons; all of them by default.
        set: Dotted recipe keys and their values, for all rows.

    Returns:
        The folder.

    Raises:
        UserError: Recipe or data are wrong, or the folder holds another experiment.
    """
    if seeds < 1:
        raise UserError(f"{seeds} seeds are nothing to compare", "--seeds", "give 1 or more")
    named = {"source": source, "target": target, "eval_data": eval, "eval_split": eval_split}
    base = load_recipe(recipe, with_options(set, named))
    folder = Path(out) if out is not None else Path("runs") / f"{kind}-{Path(recipe).stem}"
    if kind not in TITLES:
        raise UserError(f"no comparison '{kind}'{nearest(kind, TITLES)}", "experiment", f"one of {', '.join(TITLES)}")
    if base.labelled is not None and kind in BLIND:
        raise UserError(
            f"'labelled' is in the recipe, and rows of '{kind}' say themselves which labels they learn from",
            "labelled",
            "leave it out; 'simteacher experiment labels' compares numbers of labelled photographs",
        )
    inputs, measured = open_inputs(base), open_measured(base)  # before hours are spent
    photographs, classes = len(inputs.target), len(inputs.space)
    target_set = training_split(str(base.target), base.target_split)
    known = sum(f.label is not None and f.label.is_file() for f in target_set.frames)  # not opened
    every = rows_of(kind, base, known or photographs)
    if 0 < known < photographs:  # of a partly labelled set, all labels are those that there are
        every = tuple(
            replace(row, changes={**row.changes, "labelled": known}) if row.changes.get("labelled") == "all" else row
            for row in every
        )
    chosen = _chosen(every, rows)
    if base.rounds.count == 0 and any("rounds.count" not in row.changes for row in chosen):
        raise UserError("the recipe has no rounds, so the rows have nothing to compare", recipe, "set rounds.count")
    learned = {"labels": fingerprint(target_set)} if any(row.changes.get("labelled") for row in chosen) else {}
    claim(folder, base, kind, inputs.fingerprints() | measured_print(measured) | learned)
    numbers = range(base.seed, base.seed + seeds)
    data = {"source": source, "target": target, "eval": eval, "eval-split": eval_split}
    options = {"out": out, **data, "seeds": seeds if seeds != 3 else None, "rows": rows}
    command = as_command(["experiment", kind, str(recipe)], options, set or {})
    _Work(kind, base, folder, every, chosen, numbers, photographs, len(measured or ()), classes, command).go()
    return folder


def _chosen(rows: tuple[Row, ...], names: str | None) -> tuple[Row, ...]:
    if names is None:
        return rows
    known = {row.name: row for row in rows}
    wanted = [n.strip() for n in names.split(";") if n.strip()]
    for name in wanted:
        if name not in known:
            raise UserError(f"no row '{name}'{nearest(name, known)}", "--rows", f"choose from: {'; '.join(known)}")
    if not wanted:
        raise UserError("no row is named", "--rows", f"choose from: {'; '.join(known)}")
    return tuple(row for row in rows if row.name in wanted)


def _excuse(error: Exception) -> UserError | None:
    """Why a row cannot run here while others can; None for a fault of ours."""
    return error if isinstance(error, UserError) else out_of_memory(error)


def _safe(name: str) -> str:
    return re.sub(r"[^\w.+]+", "-", name.replace("…", "and")).strip("-")


@dataclass(frozen=True, slots=True)
class _Task:
    """One row with one seed; ``teacher`` is its shared teacher's run, or None where it has its own."""

    row: Row
    seed: int
    recipe: Recipe
    teacher: Path | None
    teacher_recipe: Recipe

    @property
    def name(self) -> str:
        return f"{_safe(self.row.name)}-seed{self.seed}"


@dataclass(slots=True)
class _Work:
    """The whole comparison; finished lines are read again before each use, as others may work on it too."""

    kind: str
    base: Recipe
    folder: Path
    every: tuple[Row, ...]
    rows: tuple[Row, ...]
    seeds: range
    photographs: int
    measured: int
    classes: int
    command: str

    def tasks(self) -> Iterator[_Task]:
        """All rows of the first seed, then of the next; teachers that would be alike are shared."""
        for seed in self.seeds:
            recipes = [resolve(self.base, row, seed, self.source_of(row)) for row in self.every]
            steps = [stage_steps(recipe)[0] for recipe in recipes]
            keys = [teacher_key(r, n) for r, n in zip(recipes, steps, strict=True)]
            count = Counter(keys)
            for row, recipe, key, n in zip(self.every, recipes, keys, steps, strict=True):
                if row not in self.rows:
                    continue
                if count[key] == 1 or recipe.teacher.weights is not None:
                    yield _Task(row, seed, recipe, None, recipe)
                    continue
                folder = self.folder / "teachers" / key
                yield _Task(row, seed, with_teacher(recipe, folder.as_posix()), folder, teacher_recipe(recipe, n))

    def translated(self, method: str) -> Path:
        """Where the source's translation is, or will be."""
        return self.folder / "translated" / method

    def source_of(self, row: Row) -> str | None:
        """The source that a row learns from."""
        return self.base.source if row.translate is None else str(self.translated(row.translate))

    def finished(self) -> list[Line]:
        """Lines of the rows and seeds asked for."""
        names = {row.name for row in self.rows}
        return [x for x in kept(self.folder / "rows.jsonl") if x["row"] in names and x["seed"] in self.seeds]

    def go(self) -> None:
        """Run what is not finished; a row that cannot run here is named at the end and tried again next time."""
        tasks, missing = list(self.tasks()), dict[str, str]()
        for task in tasks:
            if self.is_finished(task):
                problem = f"the row '{task.row.name}' was run with other settings"
                same(self.recipe_file(task.name), task.recipe, problem)
        self.write(missing)
        prices: dict[str, float] = {}
        fault: Exception | None = None
        for n, task in enumerate(tasks):
            if self.is_finished(task) or task.row.name in missing:
                continue
            self.announce(tasks[n:], prices)
            try:
                self.run(task)
            except Exception as error:
                known = _excuse(error)
                if known is None:  # a fault of this tool in one row is no reason to lose the others
                    fault, known = fault or error, UserError(f"a fault of simteacher ({type(error).__name__}: {error})")
                missing[task.row.name] = known.problem
                say(f"{task.row.name}: cannot run here: {known}")
            self.write(missing)
        say(f"{self.folder}: {len(self.finished())} of {len(tasks)} rows; see table.md and plot.svg")
        if fault is not None:
            raise fault
        if missing and not self.finished():
            raise UserError(
                f"no row can run here ({next(iter(missing.values()))})", self.folder, "see the messages above"
            )

    def is_finished(self, task: _Task) -> bool:
        return any(x["row"] == task.row.name and x["seed"] == task.seed for x in self.finished())

    def announce(self, tasks: list[_Task], prices: dict[str, float]) -> None:
        """Say how long the rest will take."""
        rest = [t for t in tasks if not self.is_finished(t)]
        known = estimate.learned(self.finished())
        seconds, seen = 0.0, set[Path]()
        for task in rest:
            key = estimate.price_key(task.recipe)
            if key not in known and key not in prices:
                try:
                    prices[key] = estimate.measure(task.recipe, self.classes)
                except Exception as error:
                    if _excuse(error) is None:
                        raise
                    prices[key] = 0.0  # it cannot be built here; the row will say why
            seconds += known.get(key, prices.get(key, 0.0)) * self.work(task, seen)
        how = "from finished rows" if known else "from a few real steps"
        rows = "1 row" if len(rest) == 1 else f"{len(rest)} rows"
        say(f"{rows} to run, about {clock(seconds)} ({how}); next: {rest[0].row.name}, seed {rest[0].seed}")

    def work(self, task: _Task, seen: set[Path]) -> float:
        """Passes of a row, with its teacher's where no row before trains it."""
        total = estimate.work(task.recipe, self.photographs, self.measured)
        if task.teacher is None or task.teacher in seen or (task.teacher / "model.safetensors").is_file():
            return total
        seen.add(task.teacher)
        return total + estimate.work(task.teacher_recipe, self.photographs, self.measured)

    def run(self, task: _Task) -> None:
        """Translate, train the shared teacher, run the row; keep its line; remove what only a running row needs."""
        if task.row.translate is not None:
            self.translate(task.row.translate)
        began = time.monotonic()
        cost = self.work(task, set())
        run = self.folder / "runs" / task.name
        fresh = not run.exists()
        if task.teacher is not None:
            if not (task.teacher / "model.safetensors").is_file():
                fresh = fresh and not task.teacher.exists()
                self.adapt(f"teacher-{task.teacher.name}", task.teacher_recipe, task.teacher)
            clean(task.teacher)
        self.adapt(task.name, task.recipe, run)
        seconds = time.monotonic() - began
        facts = {"row": task.row.name, "seed": task.seed, "run": run.as_posix(), "commit": git_commit()}
        cost_facts = {"seconds": round(seconds, 1) if fresh else None, "work": round(cost)}
        labelled = {"labelled": task.recipe.labelled, "price_key": estimate.price_key(task.recipe)}
        keep(self.folder / "rows.jsonl", {**facts, **cost_facts, **labelled, **collect(run)})
        clean(run)

    def recipe_file(self, name: str) -> Path:
        """Where a row's recipe is kept."""
        return self.folder / "rows" / f"{name}.yaml"

    def adapt(self, name: str, recipe: Recipe, run: Path) -> None:
        """Run one recipe through `adapt`, from a file, as a user would."""
        path = self.recipe_file(name)
        atomic_write(path, f"# simteacher adapt {path.as_posix()} --out {run.as_posix()}\n" + to_yaml(recipe))
        adapt(path, out=run)

    def translate(self, method: str) -> None:
        """Translate the source once; later rows and calls use what is there, and finish what was interrupted."""
        from simteacher.translate.run import translate

        assert self.base.source is not None and self.base.target is not None
        done = self.translated(method)
        if (done / YAML).is_file() and read_dataset_yaml(done).meta.get("complete"):
            return  # `claim` has seen that the data are the same
        translate(self.base.source, self.base.target, done, method=method, target_split=self.base.target_split)

    def write(self, missing: dict[str, str]) -> None:
        """Write table and plot from all finished rows of the folder, asked for this time or before."""
        names = [row.name for row in self.every]
        finished = {(x["row"], x["seed"]) for x in self.finished()}  # by another process, say
        missing = {row: why for row, why in missing.items() if any((row, seed) not in finished for seed in self.seeds)}
        lines = [x for x in kept(self.folder / "rows.jsonl") if x["row"] in names]
        there = {row.name for row in self.rows} | {x["row"] for x in lines}
        rows = [row for row in self.every if row.name in there]
        seeds = sorted({*self.seeds, *(x["seed"] for x in lines)})
        result = table(self.facts(seeds), rows, lines, missing, floor=names[0])
        title = f"{TITLES[self.kind]}: mIoU, %"
        axis = AXES.get(self.kind)
        atomic_write(self.folder / "table.json", json.dumps(result, indent=1, ensure_ascii=False))
        atomic_write(self.folder / "table.md", to_markdown(result))
        picture = curves(result["rows"], rows, title, axis) if axis else bars(result["rows"], title)
        atomic_write(self.folder / "plot.svg", picture)

    def facts(self, seeds: list[int]) -> dict[str, Any]:
        """How the table was made."""
        b, r = self.base.resolved_budget, self.base
        size = f"{b.steps} steps of {b.batch} crops"
        if self.kind != "sizes":
            size += f" of {b.crop[0]}×{b.crop[1]} from {b.size[0]}×{b.size[1]}"
        device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} CPU cores"
        made = {
            "command": f"`{self.command}`",
            "budget of every row": size,
            "source": r.source,
            "target": r.target,
            "measured on": f"{r.eval_data} {r.eval_split or ''}".strip() if r.eval_data else "nothing",
            "seeds": ", ".join(map(str, seeds)),
            "hardware": f"{device}, {platform.machine()}, PyTorch {torch.__version__}",
            "date": time.strftime("%Y-%m-%d"),
        }
        return {"kind": self.kind, "title": TITLES[self.kind], "made": made}
