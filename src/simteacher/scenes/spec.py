"""The scene file: every distribution of the simulator as a range or a table of weights, and what must happen (stage).

A range is ``[low, high]`` or one number; each frame draws from it. A weight table names its choices; what it does not
name has weight 0, unless its values are shares such as ``40%`` (`ranges.weights`). Lengths are metres, angles degrees.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from simteacher.errors import nearest
from simteacher.scenes.classes import CLASSES
from simteacher.scenes.ranges import Chance, Pair, Weighted, Within

SceneKind = Literal["town", "shopping", "residential", "avenue", "modern", "park", "carpark", "country", "industrial"]
VehicleKind = Literal[
    "hatchback", "mini", "saloon", "estate", "suv", "mpv", "taxi", "van", "minibus", "pickup", "truck", "bus", "tram",
    "bicycle", "motorcycle"
]  # fmt: skip
Weather = Literal["clear", "fair", "overcast", "rain", "fog"]
Lanes = Literal["1", "2", "3", "4"]
TimeOfDay = Literal["day", "low_sun", "dusk", "night"]
KINDS: dict[SceneKind, float] = {
    "town": 1.2, "shopping": 1.4, "residential": 1.2, "avenue": 0.8, "modern": 0.8, "park": 0.7, "carpark": 0.5,
    "country": 0.4, "industrial": 0.4,
}  # fmt: skip
VEHICLES: dict[VehicleKind, float] = {
    "hatchback": 5, "mini": 2, "saloon": 4, "estate": 2, "suv": 2, "mpv": 1.5, "taxi": 0.8, "van": 1.6, "minibus":
    0.4, "pickup": 0.4,
    "truck": 0.9, "bus": 0.8, "tram": 0.25, "bicycle": 1.2, "motorcycle": 0.7,
}  # fmt: skip
WEATHER: dict[Weather, float] = {"clear": 3, "fair": 3, "overcast": 3, "rain": 0.6, "fog": 0.4}
TIME: dict[TimeOfDay, float] = {"day": 5, "low_sun": 3, "dusk": 1.2, "night": 0.4}
LANES: dict[Lanes, float] = {"1": 0.6, "2": 3, "3": 0.7, "4": 0.7}


SIDES = (16, 8192)  # pixels of a picture
Side = Annotated[int, Field(ge=SIDES[0], le=SIDES[1])]


class Strict(BaseModel):
    """Refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StreetSpec(Strict):
    """The road and its surroundings.

    Attributes:
        kinds: What kind of place.
        lanes: Number of lanes.
        lane, sidewalk, kerb: Widths of a lane and a sidewalk; height of the kerb.
        verge, island, crossing: Chance of a grass strip, a refuge, a zebra crossing.
        junction_every: Distance between junctions.
        junction_ahead: Put a junction with its middle this far ahead.
        bend, slope: Curvature (1/m, left positive) and slope (rise over run).
        left_hand: Chance that traffic keeps left.
    """

    kinds: Annotated[dict[SceneKind, float], Weighted(KINDS)] = KINDS
    lanes: Annotated[dict[Lanes, float], Weighted(LANES)] = LANES
    lane: Annotated[Pair, Within(2.2, 5)] = (2.7, 3.6)
    sidewalk: Annotated[Pair, Within(0.8, 12)] = (1.3, 4.5)
    kerb: Annotated[Pair, Within(0.0, 0.3)] = (0.06, 0.16)
    verge: Chance = 0.25
    junction_every: Annotated[Pair, Within(20, 1000)] = (28, 120)
    junction_ahead: Annotated[float, Field(ge=5, le=150)] | None = None
    bend: Annotated[Pair, Within(-0.012, 0.012)] = (-0.011, 0.011)
    slope: Annotated[Pair, Within(-0.15, 0.15)] = (-0.05, 0.05)
    left_hand: Chance = 0.5
    island: Chance = 0.12
    crossing: Chance = 0.35

    @model_validator(mode="after")
    def _possible(self) -> StreetSpec:
        if self.junction_ahead is not None and self.junction_every != type(self).model_fields["junction_every"].default:
            raise ValueError("with junction_ahead junctions are 45 m apart, so junction_every has to be left out")
        return self


class ObjectSpec(Strict):
    """How much stands and moves in the street.

    Attributes:
        vehicles: Kinds of vehicle, moving or parked; bicycles and motorcycles that move have riders.
        parked: Chance that a place at the kerb is taken.
        traffic, people, trees, furniture: How busy, 0 empty to 1 crowded.
        bare: Chance that trees have no leaves.
        guests: How many rare things (riders, trucks, fences, signals ...) are put near the camera.
    """

    vehicles: Annotated[dict[VehicleKind, float], Weighted(VEHICLES)] = VEHICLES
    parked: Chance = 0.45
    traffic: Annotated[Pair, Within(0, 1)] = (0.0, 1.0)
    people: Annotated[Pair, Within(0, 1)] = (0.0, 1.0)
    trees: Annotated[Pair, Within(0, 1)] = (0.0, 1.0)
    bare: Chance = 0.55
    furniture: Annotated[Pair, Within(0, 1)] = (0.3, 1.0)
    guests: Annotated[Pair, Within(0, 12)] = (1, 4)


class LightSpec(Strict):
    """Weather, time of day and where the sun stands.

    Attributes:
        weather, time: What and when.
        azimuth: Of the sun, degrees from straight ahead, left positive.
        paths: Paths a pixel that Mitsuba traces for the light between surfaces; 0 does without (`pathlight.py`).
    """

    weather: Annotated[dict[Weather, float], Weighted(WEATHER)] = WEATHER
    time: Annotated[dict[TimeOfDay, float], Weighted(TIME)] = TIME
    azimuth: Annotated[Pair, Within(-360, 360)] = (-180, 180)
    paths: Annotated[int, Field(ge=0, le=4096)] = 0


class CameraRanges(Strict):
    """The camera on the vehicle (or robot).

    Attributes:
        height: Above the road.
        across: Shift from the middle of its lane, left positive.
        pitch, yaw, roll: Degrees; up, left and right-side-down positive.
        fov: Horizontal field of view.
        distortion: First radial coefficient; half of the frames have none.
        exposure: Multiplier on the metered exposure.
        warmth: Red against blue gain.
        gamma, contrast, saturation: Of the tone curve; 2.2, 1 and 1 are neutral.
        blur, noise, vignette, jpeg: Pixels; 0..1; darkening at the corners; quality.
        turning: Chance that the vehicle is turning and looks up to 40 degrees aside.
        bonnet: Chance that the vehicle's own bonnet is seen.
    """

    height: Annotated[Pair, Within(0.1, 6)] = (1.1, 2.1)
    across: Annotated[Pair, Within(-8, 8)] = (-0.6, 0.6)
    pitch: Annotated[Pair, Within(-60, 60)] = (-6, 5)
    yaw: Annotated[Pair, Within(-180, 180)] = (-8, 8)
    roll: Annotated[Pair, Within(-45, 45)] = (-1.5, 1.5)
    fov: Annotated[Pair, Within(10, 130)] = (48, 85)
    distortion: Annotated[Pair, Within(-0.3, 0.3)] = (-0.12, 0.02)
    exposure: Annotated[Pair, Within(0.05, 10)] = (0.5, 1.9)
    warmth: Annotated[Pair, Within(-0.4, 0.4)] = (-0.08, 0.08)
    gamma: Annotated[Pair, Within(1, 4)] = (2.0, 2.5)
    contrast: Annotated[Pair, Within(0.3, 3)] = (0.85, 1.25)
    saturation: Annotated[Pair, Within(0, 3)] = (0.45, 1.2)
    blur: Annotated[Pair, Within(0, 6)] = (0.0, 0.9)
    noise: Annotated[Pair, Within(0, 0.5)] = (0.0, 0.03)
    vignette: Annotated[Pair, Within(0, 1)] = (0.0, 0.35)
    jpeg: Annotated[Pair, Within(5, 100)] = (60, 98)
    turning: Chance = 0.07
    bonnet: Chance = 0.12


WHAT = Literal[
    "person",
    "child",
    "rider",
    "bicycle",
    "motorcycle",
    "car",
    "truck",
    "bus",
    "tram",
    "traffic light",
    "traffic sign",
    "tree",
    "fence",
    "wall",
]
# Half lengths and half widths of what can be staged, metres
FOOTPRINT: dict[str, tuple[float, float]] = {
    "car": (2.2, 0.95), "truck": (5.25, 1.3), "bus": (6.1, 1.3), "tram": (15.0, 1.27), "rider": (0.9, 0.3),
    "bicycle": (0.9, 0.3), "motorcycle": (1.0, 0.4), "tree": (0.3, 0.3), "person": (0.25, 0.25), "child": (0.2, 0.2),
    "fence": (4.0, 0.15), "wall": (4.0, 0.16),
}  # fmt: skip


NOSE = 0.2  # metres before the camera that nothing staged may reach


def footprint(what: str) -> tuple[float, float]:
    """Half length and half width that a staged thing takes on the ground, metres."""
    return FOOTPRINT.get(what, (0.15, 0.15))


class Stage(Strict):
    """Something that must be there.

    Attributes:
        what: Kind of thing.
        ahead, across: Metres along the street from the camera, and to the left of the street's middle, of its middle.
        heading: Degrees from the street's direction; 180 comes towards the camera.
        pose: Of a person.
        speed: Metres per second along its heading; only for people and vehicles.
    """

    what: WHAT
    ahead: Annotated[float, Field(ge=0.5, le=200)]
    across: Annotated[float, Field(ge=-60, le=60)] = 0.0
    heading: Annotated[float, Field(ge=-360, le=360)] = 0.0
    pose: Literal["walking", "standing", "sitting"] = "standing"
    speed: Annotated[float, Field(ge=-60, le=60)] = 0.0

    @model_validator(mode="after")
    def _possible(self) -> Stage:
        if self.speed and self.what in ("traffic light", "traffic sign", "tree", "fence", "wall"):
            raise ValueError(f"a {self.what} does not move, but has speed {self.speed:g}")
        if self.pose != "standing" and self.what not in ("person", "child"):
            raise ValueError(f"a {self.what} has no pose, but is said to be {self.pose}")
        if self.pose == "sitting" and self.what == "child":
            raise ValueError("benches are too high for a child: it walks or stands")
        if self.speed and self.what in ("person", "child") and self.pose != "walking":
            raise ValueError(f"a {self.pose} {self.what} does not move, but has speed {self.speed:g}")
        return self


class UserMesh(Strict):
    """A mesh of the user's own (glTF, OBJ, PLY, STL) and the class it counts as; see `usermesh.py`.

    Attributes:
        file: Path, relative to the scene file.
        name: Class of ``cityscapes19``, or "" for none (ignored).
        ahead, across, heading: As in `Stage`.
        scale: Metres per unit of the file.
        up: Which of its axes points up.
    """

    file: Path
    name: str
    ahead: Annotated[float, Field(ge=-100, le=400)]
    across: Annotated[float, Field(ge=-200, le=200)] = 0.0
    heading: Annotated[float, Field(ge=-360, le=360)] = 0.0
    scale: Annotated[float, Field(gt=0)] = 1.0
    up: Literal["y", "z"] = "y"

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        if value and value not in CLASSES:
            raise ValueError(f"unknown class '{value}'{nearest(value, CLASSES)}")
        return value


class ClipSpec(Strict):
    """Clips of ``--sequence``: frames in each, and frames a second."""

    frames: Annotated[int, Field(ge=2, le=999)] = 24
    rate: Annotated[float, Field(ge=0.1, le=1000)] = 10.0


class SceneSpec(Strict):
    """Everything a frame is drawn from.

    Attributes:
        labels: "filled" as people annotate (crowns, railings and wheels count as solid), or "exact" per visible
            surface.
        size: Width and height of the pictures, pixels; ``--size`` goes before it.
        random_textures: Chance that a thing gets an arbitrary texture; a fifth of it that a whole world does.
    """

    street: StreetSpec = StreetSpec()
    objects: ObjectSpec = ObjectSpec()
    light: LightSpec = LightSpec()
    camera: CameraRanges = CameraRanges()
    clip: ClipSpec = ClipSpec()
    size: tuple[Side, Side] | None = None
    random_textures: Chance = 0.15
    labels: Literal["filled", "exact"] = "filled"
    stage: tuple[Stage, ...] = ()
    meshes: tuple[UserMesh, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> SceneSpec:
        for i, a in enumerate(self.stage):
            for j, b in enumerate(self.stage[:i]):
                if _touch(a, b):
                    text = "the {what} stands in the {other} staged before it"
                    raise PydanticCustomError(
                        "overlap", text, {"what": a.what, "other": b.what, "index": i, "before": j}
                    )
        counts = [int(count) for count, weight in self.street.lanes.items() if weight]
        streets = [(count, width) for count in counts for width in self.street.lane]
        if not any(self.free_for_the_camera(d) for street in streets for d in lane_middles(*street)):
            i, a = next((i, a) for i, a in enumerate(self.stage) if a.ahead - _along(a) < NOSE)
            text, long = "the {what}, {long} m long, would stand where the camera is", 2 * footprint(a.what)[0]
            more = {"long": f"{long:.0f}", "ahead": f"{_along(a) + NOSE:.1f}"}
            raise PydanticCustomError("camera", text, {"what": a.what, "index": i, **more})
        return self

    def free_for_the_camera(self, d: float) -> bool:
        """Whether nothing staged reaches the camera in a lane whose middle is d metres left of the street's."""
        low, high = self.camera.across
        return not any(_swallows(item, d + low, d + high) for item in self.stage)


def lane_middles(count: int, width: float) -> list[float]:
    """Distances of the middles of lanes from the street's middle, left positive."""
    return [(i + 0.5) * width - count * width / 2 for i in range(count)]


def _along(item: Stage) -> float:
    """Half of the room that a thing takes along the street."""
    yaw, (long, wide) = math.radians(item.heading), footprint(item.what)
    return abs(math.cos(yaw)) * long + abs(math.sin(yaw)) * wide


def _swallows(item: Stage, right: float, left: float) -> bool:
    """Whether a footprint reaches back to the camera, which stands at 0 between ``right`` and ``left``."""
    yaw, (long, wide) = math.radians(item.heading), footprint(item.what)
    aside = abs(math.sin(yaw)) * long + abs(math.cos(yaw)) * wide
    beside = item.across - aside > left or item.across + aside < right
    return item.ahead - _along(item) < NOSE and not beside


def _touch(a: Stage, b: Stage) -> bool:
    """Whether two footprints overlap: no side of either parts them (separating axes)."""
    sides, middle = [], (b.ahead - a.ahead, b.across - a.across)
    for item in (a, b):
        yaw, (long, wide) = math.radians(item.heading), footprint(item.what)
        sides += [(math.cos(yaw), math.sin(yaw), long), (-math.sin(yaw), math.cos(yaw), wide)]
    for x, y, _ in sides:
        reach = sum(abs(x * u + y * v) * half for u, v, half in sides)
        if abs(x * middle[0] + y * middle[1]) >= reach:
            return False
    return True


def load_scene(path: str | Path) -> SceneSpec:
    """Read a scene file; see `simteacher.scenes.scenefile`."""
    from simteacher.scenes.scenefile import load_scene as load

    return load(path)
