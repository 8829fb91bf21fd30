"""What a street must hold to be laid out as in photographs: kinds of place, lanes, people, traffic, parked cars, trees.

A model says what is where in the photographs, without labels. Worlds are drawn from the scene file, each with a value
of its own of everything to be found (`KNOBS`), and seen by their exact labels. Weights that depend on those values
alone are then sought under which the mean layout of the worlds is that of the photographs; weighted, the values are
the answer. A ridge keeps what the layout does not speak about as the scene file has it. Camera height and field of view
are not among them: in a level view of a street both leave the layout nearly as it is. Used by `like`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from simteacher.progress import progress
from simteacher.scenes.assemble import assemble
from simteacher.scenes.classes import CLASSES
from simteacher.scenes.draw import choose, uniform
from simteacher.scenes.raycast import gbuffer
from simteacher.scenes.spec import SceneSpec
from simteacher.scenes.world import build_world

F64 = npt.NDArray[np.float64]
Knob = tuple[str, str]
GROUPS = {
    "road": ("road",),
    "sidewalk": ("sidewalk",),
    "building": ("building",),
    "wall and fence": ("wall", "fence"),
    "pole and sign": ("pole", "traffic light", "traffic sign"),
    "plants": ("vegetation", "terrain"),
    "sky": ("sky",),
    "people": ("person", "rider"),
    "vehicles": ("car", "truck", "bus", "train"),
    "cycles": ("motorcycle", "bicycle"),
}
BANDS = 3  # of equal height, top to bottom
KNOBS: tuple[Knob, ...] = (
    ("street", "kinds"), ("street", "lanes"), ("objects", "people"), ("objects", "traffic"), ("objects", "parked"),
    ("objects", "trees"), ("objects", "furniture"),
)  # fmt: skip
WORLDS = 240
SEED = 0x1A9
REACH = 0.4  # how far from a scene file's chance others are tried
ROWS = 96  # height of the pictures that worlds are seen in
EVEN = 0.2  # least (sum of weights)^2 / (sum of squares) as a share of the worlds: variety is worth more than likeness
LEAST_GROUND = 0.1  # of the lowest band; below it photographs show no street that could be followed (CamVid: 0.8)
RIDGE = 0.01  # chosen so that worlds drawn anew from the answer came nearest to photographs


@dataclass(frozen=True, slots=True)
class Worlds:
    """Worlds that were drawn and looked at.

    Attributes:
        layout_NF: Of each, see `layout`.
        drawn: What each was drawn with: a name or a number for every knob that is free.
    """

    layout_NF: F64
    drawn: dict[Knob, list[Any]]


def layout(label_HW: npt.NDArray[np.uint8], classes: Sequence[str]) -> F64:
    """Share of each group's pixels in each band of a picture, shape (BANDS * len(GROUPS),).

    Args:
        label_HW: Indices into ``classes``; all others belong to no group.
        classes: Names of ``cityscapes19``.
    """
    group = np.full(256, len(GROUPS))
    for index, name in enumerate(classes):
        group[index] = next((g for g, names in enumerate(GROUPS.values()) if name in names), len(GROUPS))
    bands = np.array_split(group[label_HW], BANDS)
    return np.concatenate([np.bincount(b.ravel(), minlength=len(GROUPS) + 1)[:-1] / b.size for b in bands])


def ground_share(layout_F: F64) -> float:
    """Share of road and sidewalk in the lowest band of a `layout`."""
    lowest = dict(zip(GROUPS, layout_F.reshape(BANDS, -1)[-1], strict=True))
    return float(lowest["road"] + lowest["sidewalk"])


def free_knobs(said: Mapping[str, Any]) -> list[Knob]:
    """Those of `KNOBS` that a scene file leaves open."""
    return [(part, key) for part, key in KNOBS if key not in (said.get(part) or {})]


def draw_worlds(spec: SceneSpec, size: tuple[int, int], free: Sequence[Knob]) -> Worlds:
    """Worlds of a scene, each with one value of every free knob, seen by their labels."""
    small = (max(16, round(ROWS * size[0] / size[1])), ROWS)
    seen: list[F64] = []
    drawn: dict[Knob, list[Any]] = {knob: [] for knob in free}
    for i in progress(range(WORLDS), "compare the layout"):
        g = np.random.default_rng([SEED, i])
        for knob in free:
            drawn[knob].append(_draw(g, _said(spec, knob)))
        world = build_world(SEED, i, with_knobs(spec, {k: _only(spec, k, v[-1]) for k, v in drawn.items()}), size)
        label_N = gbuffer(assemble(world, small), small).class_N
        seen.append(layout(label_N.reshape(small[1], small[0]), CLASSES))
    return Worlds(np.array(seen), drawn)


def _said(spec: SceneSpec, knob: Knob) -> Any:
    return getattr(getattr(spec, knob[0]), knob[1])


def _draw(g: np.random.Generator, said: Any) -> Any:
    """A name of a table, a number of a range, or a chance near the one that is said."""
    if isinstance(said, dict):
        return choose(g, said)
    return uniform(g, said if isinstance(said, tuple) else (max(said - REACH, 0.0), min(said + REACH, 1.0)))


def _only(spec: SceneSpec, knob: Knob, value: Any) -> Any:
    """What a scene file says where nothing but ``value`` shall come."""
    said = _said(spec, knob)
    return {value: 1.0} if isinstance(said, dict) else (value, value) if isinstance(said, tuple) else value


def with_knobs(spec: SceneSpec, values: Mapping[Knob, Any]) -> SceneSpec:
    """The scene with other tables, ranges and chances."""
    for (part, key), value in values.items():
        spec = spec.model_copy(update={part: getattr(spec, part).model_copy(update={key: value})})
    return spec


def weigh(worlds: Worlds, wanted_F: F64) -> F64:
    """Weights of worlds under which their mean layout comes near to ``wanted_F``.

    w_i ~ exp(k_i . t) with k_i the world's knobs, numbers in standard deviations and names as one of many, so knobs
    stay independent of each other, as a scene file has them; t minimises the mean square of (mean layout - wanted) in
    standard deviations of the worlds, plus `RIDGE` |t|^2; of more than that where the weights would be less even than
    `EVEN`.

    Returns:
        Weights whose sum is 1, shape (N,).
    """
    spread_F = worlds.layout_NF.std(0)
    usable = spread_F > 1e-6
    off_NF = (worlds.layout_NF - wanted_F)[:, usable] / spread_F[usable]
    k_NK = np.column_stack([_columns(values) for values in worlds.drawn.values()])

    def weights(t_K: F64) -> F64:
        score_N = k_NK @ t_K
        mass_N: F64 = np.exp(score_N - score_N.max())
        w_N: F64 = mass_N / mass_N.sum()
        return w_N

    def loss(t_K: F64, ridge: float) -> tuple[float, F64]:
        w_N = weights(t_K)
        rest_F = w_N @ off_NF
        slope_NK = w_N[:, None] * (k_NK - w_N @ k_NK)
        gradient_K = 2 * (off_NF.T @ slope_NK).T @ rest_F / len(rest_F) + 2 * ridge * t_K
        return float((rest_F**2).mean() + ridge * (t_K @ t_K)), gradient_K

    for ridge in RIDGE * 1.5 ** np.arange(60):
        start_K = np.zeros(k_NK.shape[1])
        found_N = weights(minimize(loss, start_K, (float(ridge),), jac=True, method="L-BFGS-B").x)
        if 1 / float(found_N @ found_N) >= EVEN * len(found_N):
            break
    return found_N


def _columns(values: list[Any]) -> F64:
    """One column of standardised numbers, or a column of 0 and 1 for each name."""
    if isinstance(values[0], str):
        return np.stack([np.array([v == name for v in values], np.float64) for name in sorted(set(values))], 1)
    x_N = np.array(values, np.float64)
    column_N: F64 = (x_N - x_N.mean()) / max(float(x_N.std()), 1e-9)
    return column_N[:, None]


def knobs_from(worlds: Worlds, w_N: F64, spec: SceneSpec) -> dict[Knob, Any]:
    """What a scene file has to say: tables of the weighted shares, ranges and chances of the weighted mean."""
    out: dict[Knob, Any] = {}
    for knob, values in worlds.drawn.items():
        said = _said(spec, knob)
        if isinstance(said, dict):
            shares = {name: float(w_N[[v == name for v in values]].sum()) for name in said}
            out[knob] = {name: max(round(share, 3), 0.001) for name, share in shares.items() if said[name]}
            continue
        x_N = np.array(values)
        mean = float(w_N @ x_N)
        if isinstance(
            said, tuple
        ):  # even between two bounds: of this mean, and as wide as the weights or the bounds say
            half = max(min(math.sqrt(3 * float(w_N @ (x_N - mean) ** 2)), mean - said[0], said[1] - mean), 0.0)
            out[knob] = (round(mean - half, 3), round(mean + half, 3))
        else:
            out[knob] = round(mean, 3)
    return out


def contents(
    spec: SceneSpec, size: tuple[int, int], wanted_F: F64, free: Sequence[Knob]
) -> tuple[dict[Knob, Any], list[str]]:
    """What a scene has to say to be laid out like ``wanted_F``, and in words how near it comes; nothing without knobs.

    Args:
        spec: The scene to start from.
        size: Width and height of its pictures.
        wanted_F: Mean `layout` of the photographs.
        free: Which knobs may move.
    """
    if not free:
        return {}, []
    worlds = draw_worlds(spec, size, free)
    w_N = weigh(worlds, wanted_F)
    rows = np.stack([wanted_F, worlds.layout_NF.mean(0), w_N @ worlds.layout_NF])
    parts = rows.reshape(3, BANDS, -1).mean(1).T * 100
    told = [
        f"{name} {photo:.1f} % of the pixels (scenes before {before:.1f}, after {after:.1f})"
        for name, (photo, before, after) in zip(GROUPS, parts, strict=True)
    ]
    return knobs_from(worlds, w_N, spec), told
