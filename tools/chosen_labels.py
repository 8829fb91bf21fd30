"""Do labels of chosen photographs teach more than labels of random ones? `select` against chance, seed by seed.

    .venv/bin/python tools/chosen_labels.py --model 'runs/q{seed}' --source runs/sim --target camvid:data/camvid \
        --eval camvid:data/camvid --eval-split val --budget 20 --out runs/chosen

For each seed one model that has seen no label, and two students of it: one learns from the labels of the photographs
that `select` chose by that model, the other from as many drawn by the seed (`adapt --labelled N`). All else is the
same: recipe, steps, pseudo-labels. Nothing is chosen on the evaluation data. Each row is measured twice: on ``--eval``,
and on the *rest*: the target's photographs that no row of its seed has labels of (``--every`` takes every so many).

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
from simteacher.data.sample import DataSet
from simteacher.errors import UserError
from simteacher.evaluate import evaluate
from simteacher.files import atomic_write
from simteacher.inputs import choose_labelled, training_split
from simteacher.models.store import load
from simteacher.progress import say
from simteacher.recipe_file import load_recipe, parse_set
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
    parser.add_argument("--every", type=int, default=1, help="of the rest, which is measured too")
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


def photographs(args: argparse.Namespace) -> DataSet:
    """The target's training split, labels and all."""
    return training_split(args.target, load_recipe(args.recipe, parse_set(args.set)).target_split)


def chosen(args: argparse.Namespace, seed: int) -> dict[tuple[int, str], str]:
    """Text files of names, by number and how they were chosen; made once."""
    out: dict[tuple[int, str], str] = {}
    for count in args.budget:
        names = args.out / f"random-{count}-seed{seed}.txt"
        drawn = choose_labelled(photographs(args), count, seed)
        atomic_write(names, "".join(f"{f.name}\n" for f in drawn.frames))
        folder = args.out / f"selection-{count}-seed{seed}"
        out[count, "random"] = str(names)
        out[count, "selected"] = str(select(weights(args.model, seed), photographs(args), budget=count, out=folder))
    return out


def student(args: argparse.Namespace, seed: int, names: str, run: Path) -> Path:
    """Train one row, or finish it."""
    settings: dict[str, Any] = {
        "budget": load_recipe(args.recipe).budget,
        **parse_set(args.set),
        "seed": seed,
        "rounds.count": 1,
        "teacher.weights": str(weights(args.model, seed)),
        "teacher.share": 1e-6,  # one step is counted for a teacher that is there already
        "budget.steps": args.steps + 1,
    }
    return adapt(args.recipe, source=args.source, target=args.target, labelled=names, out=run, set=settings)


def measure(args: argparse.Namespace, model: Path, rest: DataSet, **row: Any) -> dict[str, Any]:
    """One line of ``rows.jsonl``."""
    scores, others = evaluate(model, args.eval, split=args.eval_split), evaluate(model, rest)
    stage = load(model).card.extra.get("stage")
    return {**row, "miou": scores["miou"], "rest": others["miou"], "iou": scores["iou"], "rest_iou": others["iou"],
            "rest_images": others["images"], "stage": stage, "model": str(model)}  # fmt: skip


def table(rows: list[dict[str, Any]], key: str) -> str:
    """Mean and spread over the seeds, and what selection gains over chance with each of them."""
    title = {"miou": "evaluation set", "rest": "rest of the target"}[key]
    lines = [
        f"| labels, on the {title} | mIoU by seed | mean ± deviation | over random, by seed |",
        "|---|---|---|---|",
    ]
    for count in sorted({row["count"] for row in rows}):
        for how in ("none", *HOW):
            mine = {row["seed"]: 100 * row[key] for row in rows if (row["count"], row["how"]) == (count, how)}
            chance = {row["seed"]: 100 * row[key] for row in rows if (row["count"], row["how"]) == (count, "random")}
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
        names, target = chosen(args, seed), photographs(args)
        told = {name for file in names.values() for name in Path(file).read_text().split()}
        rest = target.subset(tuple(f for f in target.frames if f.name not in told)[:: args.every])
        for count, how in [(0, "none"), *names]:
            if any((row["seed"], row["count"], row["how"]) == (seed, count, how) for row in rows):
                continue
            say(f"seed {seed}: {count} labels, {how}")
            run = args.out / f"{how}-{count}-seed{seed}"
            model = student(args, seed, names[count, how], run) if count else weights(args.model, seed)
            rows.append(measure(args, model, rest, seed=seed, count=count, how=how))
            atomic_write(kept, "".join(json.dumps(row) + "\n" for row in rows))
            atomic_write(args.out / "table.md", "\n".join(table(rows, key) for key in ("miou", "rest")))
    print((args.out / "table.md").read_text())


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
