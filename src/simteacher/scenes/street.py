"""The plan of one street: its line, lanes, kerbs, junctions and blocks.

Drawn first; everything else is placed on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from simteacher.scenes import shapes as sh
from simteacher.scenes.draw import choose, uniform
from simteacher.scenes.ground import Surfaces
from simteacher.scenes.mesh import Course, Mesh, Thing
from simteacher.scenes.palette import Rng
from simteacher.scenes.path import END, START, STEP, Path
from simteacher.scenes.spec import SceneSpec, lane_middles

POLE = 0.025  # metres by which people draw a pole too thick
FIRST, LAST = -45.0, 190.0
FRONTS: dict[str, dict[str, float]] = {
    "town": {"terrace": 4, "shop": 3, "house": 1, "office": 1.5, "church": 0.5, "hall": 0.5, "garden": 0.5},
    "shopping": {"shop": 8, "office": 1.2, "terrace": 1, "church": 0.3},
    "residential": {"house": 6, "terrace": 3, "garden": 1},
    "avenue": {"flats": 3, "house": 2, "park": 2, "terrace": 2, "office": 1},
    "modern": {"office": 5, "flats": 4, "carpark": 1, "shop": 1},
    "park": {"park": 4, "terrace": 2, "house": 1, "flats": 1, "church": 0.5},
    "carpark": {"carpark": 6, "hall": 1, "store": 1.5, "park": 1, "shop": 1},
    "country": {"field": 5, "garden": 2, "house": 1.5, "park": 1},
    "industrial": {"hall": 5, "store": 1, "carpark": 2, "field": 1, "office": 1},
}


@dataclass(frozen=True, slots=True)
class Block:
    """Raised ground beside the road between two junctions: kerb, sidewalk, then what fronts it.

    Attributes:
        side: +1 left of the street, -1 right.
        s0, s1: Its extent along the street.
        edge: Distance of the kerb from the street's middle.
        verge, walk: Widths of the grass strip behind the kerb (0 for none) and of the sidewalk.
        kerb: Height of the kerb.
        radius: Of its corners.
        front: What stands on it.
        depth: How far it reaches from the kerb.
    """

    side: int
    s0: float
    s1: float
    edge: float
    verge: float
    walk: float
    kerb: float
    radius: float
    front: str
    depth: float = 60.0

    @property
    def property_line(self) -> float:
        """Distance of the back of the sidewalk from the street's middle."""
        return self.edge + self.verge + self.walk


@dataclass(frozen=True, slots=True)
class Junction:
    """A cross street at s, ``wide`` metres wide, on ``sides`` (+1, -1)."""

    s: float
    wide: float
    sides: tuple[int, ...]


@dataclass
class Street:
    """The plan, and the things put on it so far.

    Attributes:
        taken: Circles (s, d, radius) where something stands.
        staged: Those of what a scene file names.
        trams: Distances from the street's middle at which trams run along it.
        railed: Whether all lanes have rails.
        treeless: Whether no more trees are wanted.
        lamps_on: Whether vehicles in traffic have their lights on.
    """

    kind: str
    path: Path
    half: float
    parking: float
    lanes: list[tuple[float, int]]
    left_hand: bool
    blocks: list[Block]
    junctions: list[Junction]
    surfaces: Surfaces
    crossings: list[float]
    bare: bool
    things: list[Thing] = field(default_factory=list)
    taken: list[tuple[float, float, float]] = field(default_factory=list)
    staged: list[tuple[float, float, float]] = field(default_factory=list)
    trams: list[float] = field(default_factory=list)
    railed: bool = False
    treeless: bool = False
    lamps_on: bool = False

    def put(
        self,
        mesh: Mesh,
        pose_44: npt.NDArray[np.float64],
        name: str,
        *,
        countable: bool = False,
        speed: float = 0.0,
        yaw_rate: float = 0.0,
        hull: Mesh | None = None,
        veil: Mesh | None = None,
        course: Course | None = None,
    ) -> None:
        """Add a thing; ``speed`` is along its own x axis."""
        v = pose_44[:3, 0] * speed
        velocity = (float(v[0]), float(v[1]), float(v[2]))
        self.things.append(Thing(mesh, pose_44, name, countable, velocity, yaw_rate, hull, veil, course))

    def put_parts(self, parts: dict[str, Mesh], pose_44: npt.NDArray[np.float64]) -> None:
        """Add parts that share a pose, each with its class."""
        for name, mesh in parts.items():
            hull = sh.fattened(mesh, POLE) if name == "pole" else None
            self.put(mesh, pose_44, name, hull=hull)

    def free(self, s: float, d: float, radius: float, long: float = 0.0) -> bool:
        """Whether nothing has been put within the radius of (s, d); if so, takes the place.

        Args:
            s: Along the street.
            d: From its middle.
            radius: Of the room that is needed.
            long: Half of a length along the street that is needed too, where it is more.
        """
        reach = max(long - radius, 0.0)
        s, d = float(s), float(d)  # numpy's numbers take several times as long
        places = [s]
        if reach:
            places = [s + a for a in np.linspace(-reach, reach, 1 + math.ceil(2 * reach / radius)).tolist()]
        near = [(a, b, r) for a, b, r in self.taken if abs(d - b) < radius + r]
        if any((x - a) ** 2 + (d - b) ** 2 < (radius + r) ** 2 for a, b, r in near for x in places):
            return False
        self.taken.extend((x, d, radius) for x in places)
        return True

    def in_junction(self, s: float, margin: float = 0.0, side: int = 0) -> bool:
        """Whether s lies in the mouth of a cross street (on ``side``, or on any)."""
        return any(abs(s - j.s) < j.wide / 2 + margin and (side == 0 or side in j.sides) for j in self.junctions)

    def block_at(self, s: float, side: int) -> Block | None:
        """The block at s on a side."""
        return next((b for b in self.blocks if b.side == side and b.s0 < s < b.s1), None)


def _line(g: Rng, spec: SceneSpec) -> Path:
    """Piecewise bends and hills, smoothed. Many are straighter and flatter; one number holds for all."""
    n = round((END - START) / STEP)
    knots = np.arange(0, n + 120, 60)
    flat = g.random() < 0.45
    bends, bent = g.uniform(*spec.street.bend, len(knots)), (g.random(len(knots)) < 0.5) * (0.15 if flat else 1)
    slopes, hilly = g.uniform(*spec.street.slope, len(knots)), g.random() < 0.55
    bends = bends if spec.street.bend[0] == spec.street.bend[1] else bends * bent
    slopes = slopes if spec.street.slope[0] == spec.street.slope[1] else slopes * hilly
    at = np.arange(n) + g.uniform(0, 60)
    return Path.through(np.interp(at, knots, bends), np.interp(at, knots, slopes))


def plan(g: Rng, spec: SceneSpec) -> Street:
    """Draw a street."""
    s = spec.street
    kind = choose(g, s.kinds)
    count = int(choose(g, s.lanes))
    width = uniform(g, s.lane)
    left = bool(g.random() < s.left_hand)
    parking = 2.1 if kind not in ("country", "carpark") and g.random() < 0.45 else 0.0
    half = count * width / 2 + parking + g.uniform(0, 0.6)
    lanes = []
    for d in lane_middles(count, width):
        forward = d > 0 if left else d < 0
        lanes.append((d, 1 if count == 1 or forward else -1))
    kerb = uniform(g, s.kerb)
    junctions: list[Junction] = []
    at, every = FIRST + g.uniform(5, 60), s.junction_every
    if s.junction_ahead is not None:
        at = s.junction_ahead - math.floor((s.junction_ahead - FIRST) / 45) * 45
        every = (45.0, 45.0)
    while at < LAST - 20:
        sides = ((1, -1), (1, -1), (1,), (-1,))[int(g.integers(4))]
        if s.junction_ahead is not None:
            sides = (1, -1)
        junctions.append(Junction(at, g.uniform(5.5, 9.5), sides))
        at += uniform(g, every) + (12 if s.junction_ahead is None else 0)
    blocks = []
    for side in (1, -1):
        walk = uniform(g, s.sidewalk) * (1.3 if kind == "shopping" else 0.7 if kind == "country" else 1.0)
        verge = (
            g.uniform(0.8, 3.0)
            if g.random() < s.verge * (1.8 if kind in ("avenue", "country", "residential") else 0.7)
            else 0.0
        )
        if kind == "country" and g.random() < 0.6:  # grass to the road's edge
            walk, verge, kerb = 0.05, max(verge, g.uniform(1.0, 3.0)), min(kerb, g.uniform(0.0, 0.06))
        radius = min(g.uniform(2.0, 6.0), verge + walk + 1.0)
        cuts = [FIRST - 30.0]
        for j in junctions:
            if side in j.sides:
                cuts += [j.s - j.wide / 2, j.s + j.wide / 2]
        cuts.append(LAST + 60)
        for a, b in zip(cuts[::2], cuts[1::2], strict=True):
            if b - a > 2 * (walk + verge) + 2:
                blocks.append(Block(side, a, b, half, verge, walk, kerb, radius, choose(g, FRONTS[kind])))
    crossings = []
    if g.random() < s.crossing:
        crossings.append(float(g.uniform(7, 45)))
    return Street(
        kind,
        _line(g, spec),
        half,
        parking,
        lanes,
        left,
        blocks,
        junctions,
        Surfaces.draw(g),
        crossings,
        bool(g.random() < spec.objects.bare),
    )
