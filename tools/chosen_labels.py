"""Do labels of chosen photographs teach more than labels of random ones? `select` against chance, seed by seed.

    .venv/bin/python tools/chosen_labels.py --model 'runs/q{seed}' --source runs/sim --target camvid:data/camvid \
        --eval camvid:data/camvid --eval-split val --budget 20 --out runs/chosen

For each seed one model that has seen no label, and two students of it: one learns from the labels of the photographs
that `select` chose by that model, the other from as many drawn by the seed (`adapt --labelled N`). All else is the
same: recipe, steps, pseudo-labels. Nothing is chosen on the evaluation data.

The same command goes on where it was stopped: a finished row is one line of ``rows.jsonl``. Writes ``table.md`` too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from simteacher.adapt import adapt
from simteacher.config import load_recipe, parse_set
from simteacher.errors import UserError
from simteacher.evaluate import evaluate
from simteacher.files import atomic_write
from simteacher.inputs import training_split
from simteacher.models.store import load
from simteacher.progress import say
from simteacher.select import select

HOW = ("random", "selected")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="run folder of each seed's model, {seed} in its name")
    parser.add_argument("--source", required=True)
    parser.add_argument("--target", required=True, help="photographs with labels, of which only N are opened")
    parser.add_argument("--eval", required=True)
    parser.add_argument("--eval-split")
    parser.add_argument("--budget", type=int, nargs="+", default=[20], help="how many photographs are labelled")
    parser.add_argument("--steps", type=int, default=150, help="of each student")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--recipe", default="quick")
    parser.add_argument("--set", nargs="*", default=[], help="recipe keys for all rows")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def weights(template: str, seed: int) -> Path:
    """The final weights of a seed's run: a run folder alone would mean its teacher."""
    return load(template.format(seed=seed)).path


def student(args: argparse.Namespace, seed: int, count: int, how: str, run: Path) -> Path:
    """Train one row, or finish it."""
    model = weights(args.model, seed)
    labelled: int | str = count
    if how == "selected":
        target = training_split(args.target, load_recipe(args.recipe, parse_set(args.set)).target_split)
        labelled = str(select(model, target, budget=count, out=args.out / f"selection-{count}-seed{seed}"))
    settings: dict[str, Any] = {
        "budget": load_recipe(args.recipe).budget,
        **parse_set(args.set),
        "seed": seed,
        "rounds.count": 1,
        "teacher.weights": str(model),
        "teacher.share": 1e-6,  # one step is counted for a teacher that is there already
        "budget.steps": args.steps + 1,
    }
    return adapt(args.recipe, source=args.source, target=args.target, labelled=labelled, out=run, set=settings)


def measure(args: argparse.Namespace, model: Path, **row: Any) -> dict[str, Any]:
    """One line of ``rows.jsonl``."""
    scores = evaluate(model, args.eval, split=args.eval_split)
    stage = load(model).card.extra.get("stage")
    return {**row, "miou": scores["miou"], "iou": scores["iou"], "stage": stage, "model": str(model)}


def table(rows: list[dict[str, Any]]) -> str:
    """Mean and spread over the seeds, and what selection gains over chance with each of them."""
    lines = ["| labelled photographs | mIoU by seed | mean ± deviation | over random, by seed |", "|---|---|---|---|"]
    for count in sorted({row["count"] for row in rows}):
        for how in ("none", *HOW):
            mine = {row["seed"]: 100 * row["miou"] for row in rows if (row["count"], row["how"]) == (count, how)}
            chance = {row["seed"]: 100 * row["miou"] for row in rows if (row["count"], row["how"]) == (count, "random")}
            if not mine:
                continue
            seeds = sorted(mine)
            spread = f" ± {statistics.stdev(mine.values()):.1f}" if len(mine) > 1 else ""
            over = " / ".join(f"{mine[s] - chance[s]:+.1f}" for s in seeds if s in chance) if how == "selected" else ""
            name = "none" if how == "none" else f"{count} {how}"
            each = " / ".join(f"{mine[s]:.1f}" for s in seeds)
            lines.append(f"| {name} | {each} | {statistics.mean(mine.values()):.1f}{spread} | {over} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """All rows that are not there yet, then the table."""
    args = arguments()
    kept = args.out / "rows.jsonl"
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []
    for seed in args.seeds:
        for count, how in [(0, "none"), *((n, h) for n in args.budget for h in HOW)]:
            if any((row["seed"], row["count"], row["how"]) == (seed, count, how) for row in rows):
                continue
            say(f"seed {seed}: {count} labels, {how}")
            run = args.out / f"{how}-{count}-seed{seed}"
            model = student(args, seed, count, how, run) if count else weights(args.model, seed)
            rows.append(measure(args, model, seed=seed, count=count, how=how))
            atomic_write(kept, "".join(json.dumps(row) + "\n" for row in rows))
            atomic_write(args.out / "table.md", table(rows))
    print(table(rows))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
