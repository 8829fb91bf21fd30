"""The scene file: every distribution of the simulator as a range or a table of weights, and what must happen (stage).

A range is ``[low, high]`` or one number. A weight table names every choice it allows; what it does not name has weight 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def _range(value: Any) -> Any:
    return [value, value] if isinstance(value, int | float) and not isinstance(value, bool) else value


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"the range runs backwards: {value[0]} to {value[1]}")
    return value


Range = Annotated[tuple[float, float], BeforeValidator(_range), AfterValidator(_ordered)]
Chance = Annotated[float, Field(ge=0, le=1)]


def _positive(value: dict[str, float]) -> dict[str, float]:
    if any(v < 0 for v in value.values()) or sum(value.values()) <= 0:
        raise ValueError("weights must be at least 0 and not all 0")
    return value


class Strict(BaseModel):
    """Refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


SceneKind = Literal["town", "shopping", "residential", "avenue", "modern", "park", "carpark", "country", "industrial"]
FrontKind = Literal["terrace", "shop", "house", "office", "flats", "hall", "church", "park", "carpark", "field", "garden"]
VehicleKind = Literal["hatchback", "mini", "saloon", "estate", "suv", "mpv", "taxi", "van", "minibus", "pickup", "truck", "bus", "tram", "bicycle", "motorcycle"]
Weather = Literal["clear", "fair", "overcast", "rain", "fog"]
TimeOfDay = Literal["day", "low_sun", "dusk", "night"]


class StreetSpec(Strict):
    """The road and its surroundings; metres."""

    kinds: Annotated[dict[SceneKind, float], AfterValidator(_positive)] = {
        "town": 1.2, "shopping": 1.4, "residential": 1.2, "avenue": 0.8, "modern": 0.8, "park": 0.6, "carpark": 0.5, "country": 0.4, "industrial": 0.4,
    }  # fmt: skip
    lane: Range = (2.7, 3.6)
    lanes: Annotated[dict[Literal["1", "2", "3", "4"], float], AfterValidator(_positive)] = {"1": 0.6, "2": 3, "3": 0.7, "4": 0.7}
    sidewalk: Range = (1.3, 4.5)
    kerb: Range = (0.06, 0.16)
    verge: Chance = 0.25
    junction_every: Range = (28, 120)
    bend: Range = (-0.011, 0.011)
    slope: Range = (-0.05, 0.05)
    left_hand: Chance = 0.5
    island: Chance = 0.12
    crossing: Chance = 0.35


class ObjectSpec(Strict):
    """How much stands and moves in the street."""

    vehicles: Annotated[dict[VehicleKind, float], AfterValidator(_positive)] = {
        "hatchback": 5, "mini": 2, "saloon": 4, "estate": 2, "suv": 2, "mpv": 1.5, "taxi": 0.8, "van": 1.6, "minibus": 0.4, "pickup": 0.4,
        "truck": 0.9, "bus": 0.8, "tram": 0.25, "bicycle": 1.2, "motorcycle": 0.7,
    }  # fmt: skip
    parked: Chance = 0.45
    traffic: Range = (0.0, 1.0)
    people: Range = (0.0, 1.0)
    trees: Range = (0.0, 1.0)
    bare: Chance = 0.55
    furniture: Range = (0.3, 1.0)
    guests: Range = (1, 4)


class WeatherSpec(Strict):
    """Light and air."""

    weather: Annotated[dict[Weather, float], AfterValidator(_positive)] = {"clear": 3, "fair": 3, "overcast": 3, "rain": 0.6, "fog": 0.4}
    time: Annotated[dict[TimeOfDay, float], AfterValidator(_positive)] = {"day": 5, "low_sun": 3, "dusk": 1.2, "night": 0.4}
    azimuth: Range = (-180, 180)


class CameraRanges(Strict):
    """The camera on the vehicle; angles in degrees, height in metres."""

    height: Range = (1.1, 2.1)
    pitch: Range = (-6, 5)
    yaw: Range = (-8, 8)
    roll: Range = (-1.5, 1.5)
    fov: Range = (48, 85)
    distortion: Range = (-0.12, 0.02)
    exposure: Range = (0.4, 1.7)
    warmth: Range = (-0.08, 0.08)
    gamma: Range = (2.0, 2.5)
    contrast: Range = (0.85, 1.25)
    saturation: Range = (0.45, 1.2)
    blur: Range = (0.0, 0.9)
    noise: Range = (0.0, 0.03)
    vignette: Range = (0.0, 0.35)
    jpeg: Range = (60, 98)
    bonnet: Chance = 0.12


class Stage(Strict):
    """Something that must be there."""

    what: Literal["person", "rider", "bicycle", "motorcycle", "car", "truck", "bus", "tram", "traffic light", "traffic sign", "tree", "fence", "wall"]
    ahead: float
    across: float = 0.0
    heading: float = 0.0
    pose: Literal["walking", "standing", "sitting"] = "standing"
    speed: float = 0.0


class UserMesh(Strict):
    """A mesh of the user's own (glTF, OBJ, PLY) with the class it counts as."""

    file: Path
    name: str
    ahead: float
    across: float = 0.0
    heading: float = 0.0
    scale: float = 1.0
    up: Literal["y", "z"] = "y"


class ClipSpec(Strict):
    """Clips of ``--sequence``: frames in each, and frames a second."""

    frames: Annotated[int, Field(ge=2, le=999)] = 24
    rate: Annotated[float, Field(gt=0)] = 10.0


class SceneSpec(Strict):
    """Everything a frame is drawn from."""

    street: StreetSpec = StreetSpec()
    objects: ObjectSpec = ObjectSpec()
    light: WeatherSpec = WeatherSpec()
    camera: CameraRanges = CameraRanges()
    clip: ClipSpec = ClipSpec()
    size: tuple[int, int] | None = None
    random_textures: Chance = 0.15
    stage: tuple[Stage, ...] = ()
    meshes: tuple[UserMesh, ...] = ()


def load_scene(path: str | Path) -> SceneSpec:
    """Read a scene file; see `simteacher.scenes.scenefile`."""
    from simteacher.scenes.scenefile import load_scene as load

    return load(path)
