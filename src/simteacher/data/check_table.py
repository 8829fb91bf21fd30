"""The result of `check` as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

_BAR, _SHOWN = 20, 20
Result = Mapping[str, Any]
MOST_IGNORED = 0.9  # share of the pixels above which labels are perhaps not what they are taken for


def check_table(result: Result) -> RenderableType:
    """What was recognised, class shares of both sides, oddities, and each problem with its fix."""
    from rich.console import Group
    from rich.text import Text

    target: Result | None = result.get("target")
    parts: list[RenderableType] = [Text(line) for line in _head(result, "")]
    if target:
        parts += [Text(line) for line in _head(target, "target: ")]
    if any(side.get("classes") for side in (result, target or {})):
        parts.append(_shares(result, target))
    parts += [Text(line) for line in _notes(result)]
    parts += [Text(line) for line in _adapt(result.get("adapt"))]
    problems = result["problems"]
    if "adapt" in result and result["adapt"] is None:
        parts.append(Text("what adapt would take is told when the problems are mended"))
    parts.append(Text(_count(len(problems), "problem"), style="bold"))
    groups = _alike(problems)
    parts += [Text(_problem(group)) for group in groups[:_SHOWN]]
    if len(groups) > _SHOWN:
        parts.append(Text(f"and {sum(map(len, groups[_SHOWN:]))} more; --json lists them all"))
    return Group(*parts)


def _alike(problems: Sequence[Result]) -> list[list[Result]]:
    """Problems by kind, in the order of the first of each: twenty files with the same mistake are one thing to mend."""
    groups: dict[str, list[Result]] = {}
    for problem in problems:
        groups.setdefault(problem["problem"].partition(":")[0], []).append(problem)
    return list(groups.values())


def _problem(alike: Sequence[Result]) -> str:
    first, others = alike[0], [str(p["file"]) for p in alike[1:]]
    said = f"{first['file']}: {first['problem']}" + (f"\n  fix: {first['fix']}" if first["fix"] else "")
    if others:
        more = " …; --json lists them all" if len(others) > 2 else ""
        said += f"\n  the same in {_count(len(others), 'more file')}: {', '.join(others[:2])}{more}"
    return said


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _head(result: Result, role: str) -> list[str]:
    why = f" ({result['why']})" if result.get("why") else ""
    splits = ", ".join(f"{n} {name}" for name, n in result.get("splits", {}).items())
    sizes = ", ".join(f"{n} of {size}" for size, n in list(result.get("sizes", {}).items())[:3])
    more = f" and {len(result['sizes']) - 3} other sizes" if len(result.get("sizes", {})) > 3 else ""
    lines = [
        f"{role}{result['format']}{why}",
        _count(result["images"], "image")
        + f", {result['labelled']} of them labelled"
        + (f" ({splits})" if splits else ""),
    ]
    if sizes:
        lines.append(f"sizes: {sizes}{more}")
    if result.get("labels"):
        lines.append(f"labels: {result['labels']}")
    for kind, entry in result.get("odd", {}).items():
        lines.append(f"{_count(entry['images'], 'image')} with {kind}, read all the same, such as {entry['first']}")
    return lines + list(result.get("hints", ()))


def _shares(result: Result, target: Result | None) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    sides = [result] + ([target] if target and target["classes"] else [])
    table = Table(box=None, pad_edge=False, show_header=len(sides) > 1)
    table.add_column(Text(f"classes of {result['space']}" if result.get("space") else "class"))
    for name in ("this set", "target")[: len(sides)]:
        table.add_column(name, justify="right")
        table.add_column("")
    for name in [*(result["classes"] or sides[-1]["classes"]), "(ignored)"]:
        cells = []
        for side in sides:
            total = sum(side["classes"].values()) + side["ignored"]
            share = (side["ignored"] if name == "(ignored)" else side["classes"].get(name, 0)) / total if total else 0
            cells += [f"{100 * share:.2f} %", "█" * round(_BAR * share)]
        table.add_row(Text(name), *cells)  # brackets in a name are no markup
    return table


def _notes(result: Result) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for lack in result.get("lacks", ()):
        reasons.setdefault(lack["why"], []).append(lack["class"])
    lines = [f"no pixel is {', '.join(names)}: {why}" for why, names in reasons.items()]
    total = sum(result["classes"].values()) + result["ignored"]
    if unmapped := result.get("unmapped"):
        learned = {name: f" (learned as {known})" for name, known in result["learned_as"].items()}
        shares = [f"{name} {100 * n / total:.1f} %{learned.get(name, '')}" for name, n in unmapped.items()]
        said = ", ".join(shares[:8])
        lines.append(f"ignored, as the label space has no such class: {said}")
    if total and result["ignored"] > MOST_IGNORED * total:
        lines.append(
            f"{100 * result['ignored'] / total:.0f} % of the pixels are ignored, so that little can be learned or "
            f"measured: are the labels those of {result['format']} sets?"
        )
    if left_out := result.get("left_out"):
        said = ", ".join(f"{name} {100 * n / total:.1f} %" for name, n in list(left_out.items())[:8])
        lines.append(f"ignored, as told: {said}")
    if unknown := result.get("unknown"):
        colours = max(int(value) for value in unknown) > 65535
        named = {f"#{int(value):06x}" if colours else value: n for value, n in unknown.items()}
        said = ", ".join(f"{value} ({n} pixels)" for value, n in list(named.items())[:8])
        lines.append(f"label values that mean no class, in all files: {said}")
    for side, role in ((result, ""), (result.get("target") or {}, "of the target ")):
        if shared := side.get("shared"):
            what = _count(len(shared), "pair") + f" of nearly the same picture {role}in two splits"
            lines.append(f"{what}, such as {shared[0][0]} and {shared[0][1]}")
    return lines


def _adapt(plan: Result | None) -> list[str]:
    """What `adapt` would do."""
    if plan is None:
        return []
    (w, h), (x, y), steps = plan["size"], plan["crop"], plan["steps"]
    some = f"{plan['pseudo_labelled']} of " if 0 < plan["pseudo_labelled"] < plan["photographs"] else ""
    then = (
        f", {steps['round']} for each of {_count(steps['rounds'], 'round')} on {some}{plan['photographs']} photographs"
    )
    then = then if steps["rounds"] else ""
    gpu = f" and {plan['gpu_memory_gib']} GiB of the GPU's" if "gpu_memory_gib" in plan else ""
    return [
        f"adapt {plan['recipe']} would take {steps['teacher']} steps for the teacher{then}, "
        f"of {plan['batch']} images {w}x{h} each, cut to {x}x{y}",
        f"on this machine ({plan['device']}) about {_long(plan['seconds'])} and {plan['memory_gib']} GiB of memory{gpu}"
        f"; a step took {plan['seconds_per_step']} s when it was tried",
    ]


def _long(seconds: float) -> str:
    if seconds < 120:
        return f"{round(seconds)} seconds"
    return f"{round(seconds / 60)} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
