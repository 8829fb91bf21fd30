"""A scene file from unlabelled photographs: ``render --like TARGET``.

What can be measured in the target (`photostats`) is measured in a few neutral renders too; each camera range is then
moved until both agree: horizon, exposure, contrast, colour, sharpness, grain, compression. The field of view is set
where files tell their lens. What a street holds is set so that it is laid out as the tool's own teacher reads the
photographs (`layout`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from PIL import ExifTags, Image

from simteacher.data.images import image_size, read_image
from simteacher.data.open import open_dataset
from simteacher.dense import Reader, read_images
from simteacher.errors import UserError
from simteacher.models.store import load
from simteacher.progress import progress, say
from simteacher.scenes import layout
from simteacher.scenes.assemble import assemble
from simteacher.scenes.camera import expose, meter
from simteacher.scenes.frame import linear
from simteacher.scenes.job import atlas
from simteacher.scenes.mesh import F32, CameraSpec
from simteacher.scenes.photostats import HORIZONS, MEASURES, PhotoStats, photo_stats
from simteacher.scenes.raycast import gbuffer
from simteacher.scenes.scenefile import ESTIMATED, load_scene, movable, told_scene
from simteacher.scenes.spec import SIDES, SceneSpec
from simteacher.scenes.world import build_world
from simteacher.shipped import NAME

PHOTOS, PROBES = 48, 8
FILM = 43.27  # diagonal of a frame of 35 mm film, millimetres
LARGEST = 480 * 360 * 2  # pixels of a render by default; larger photographs are matched at a smaller scale
U8 = npt.NDArray[np.uint8]


def match(target: str, scene: str | Path | None = None, reader: Reader | None = None) -> str:
    """Estimate the camera of photographs and what their streets hold.

    Args:
        target: A data set; only its images are opened.
        scene: A scene file to start from; what it says is kept, but for the camera, whose place and field of view are.
        reader: A model of the 19 Cityscapes classes that says what is where; by default the teacher of the tool.

    Returns:
        The text of a scene file.

    Raises:
        UserError: The set or the scene file cannot be read.
    """
    spec = load_scene(scene) if scene else SceneSpec()
    said: dict[str, Any] = (yaml.safe_load(movable(Path(scene))) if scene else None) or {}
    frames = open_dataset(target).frames
    chosen = [frames[i] for i in np.unique(np.linspace(0, len(frames) - 1, PHOTOS).astype(int))]
    reader = reader or load(NAME)
    size = render_size(image_size(chosen[0].image))
    if min(size) < SIDES[0]:
        raise UserError(
            f"a photograph of {size[0]}x{size[1]} pixels is too small to draw like it", chosen[0].image, "name others"
        )
    photos, quality, views, layouts = [], [], [], []
    for frame in progress(chosen, "look at photographs"):
        image = read_image(frame.image)
        photos.append(photo_stats(_shrunk(image, size)))
        quality.append(jpeg_quality(frame.image) if image_size(frame.image) == size else None)
        views.append(lens_view(frame.image))
        seen = read_images(reader, [image], views=1)[0]
        layouts.append(layout.layout(seen.label_HW, reader.card.space.classes))
    found: dict[str, tuple[float, float]] = {}
    lenses = [v for v in views if v]
    if lenses and "fov" not in (said.get("camera") or {}):
        found["fov"] = (max(min(lenses) - 1, 10.0), min(max(lenses) + 1, 130.0))
    found["pitch"] = pitch_range(photos, size, found.get("fov", spec.camera.fov))
    spec = spec.model_copy(update={"camera": spec.camera.model_copy(update=found)})
    wanted_F = np.mean(layouts, 0)
    free = layout.free_knobs(said)
    if free and (ground := layout.ground_share(wanted_F)) < layout.LEAST_GROUND:
        say(
            f"{target}: road or pavement is seen on {100 * ground:.0f} % of the lowest third, so these hardly show"
            " streets; what streets hold stays as the scene file has it"
        )
        free = []
    knobs, shares = layout.contents(spec, size, wanted_F, free)
    spec = layout.with_knobs(spec, knobs)
    found |= Fit(photos, _probes(spec, size)).ranges()
    known = [q for q in quality if q]
    if known:
        found["jpeg"] = (max(min(known) - 3, 5), max(known))
    data = {**said, "size": list(size)}
    for (part, key), value in {**knobs, **{("camera", k): v for k, v in found.items()}}.items():
        plain = [round(float(v), 3) for v in value] if isinstance(value, tuple) else value
        data[part] = {**(data.get(part) or {}), key: plain}
    say(f"the camera of {target}: " + ", ".join(f"{k} {r[0]:.2f} to {r[1]:.2f}" for k, r in found.items()))
    say(f"the streets of {target}: " + (", ".join(map(_in_words, knobs.items())) or "as the scene file says"))
    base = f" All else: {told_scene(scene)}." if scene else ""
    head = f"{ESTIMATED} from {len(photos)} photographs of {target}, without labels.{base} Every range may be edited.\n"
    head += "".join(f"# {line}\n" for line in shares)
    return head + yaml.safe_dump(data, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)


def _in_words(item: tuple[layout.Knob, Any]) -> str:
    """A knob and its value; of a table the three heaviest choices."""
    (_, key), value = item
    if isinstance(value, dict):
        heavy = sorted(value.items(), key=lambda choice: -choice[1])[:3]
        return f"{key} " + " ".join(f"{name} {100 * share:.0f} %" for name, share in heavy)
    return f"{key} {value[0]:.2f} to {value[1]:.2f}" if isinstance(value, tuple) else f"{key} {value:.2f}"


def render_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size to render for photographs of ``size``: the same shape, at most `LARGEST` pixels, even sides."""
    scale = min(1.0, float(np.sqrt(LARGEST / (size[0] * size[1]))))
    return size if scale == 1 else (int(size[0] * scale / 2) * 2, int(size[1] * scale / 2) * 2)


def _shrunk(image_HW3: U8, size: tuple[int, int]) -> U8:
    if image_HW3.shape[1::-1] == size:
        return image_HW3
    return np.asarray(Image.fromarray(image_HW3).resize(size, Image.Resampling.LANCZOS))


def jpeg_quality(path: Path) -> int | None:
    """Quality that a JPEG file was saved with: the one whose luminance table, as libjpeg scales it, is stored in it."""
    with Image.open(path) as image:
        tables = getattr(image, "quantization", None)
    if not tables:
        return None
    standard, stored = np.array([16, 11, 10, 16, 24, 40, 51, 61]), np.array(tables[0][:8])
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)[:, None]
    table = np.clip((standard * scale + 50) // 100, 1, 255)
    return int(quality[np.abs(table - stored).sum(1).argmin()])


def lens_view(path: Path) -> float | None:
    """Horizontal field of view in degrees, where a file tells its focal length on 35 mm film (EXIF, by diagonal)."""
    try:
        with Image.open(path) as image:
            focal = float(image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm, 0))
        width, height = image_size(path)  # turned upright, as it is read
        across = width / float(np.hypot(width, height))
    except (OSError, ValueError, TypeError, SyntaxError, UserError):
        return None
    view = float(np.rad2deg(2 * np.arctan(FILM * across / 2 / focal))) if focal > 0 else 0.0
    return view if 10 <= view <= 130 else None


def pitch_range(photos: list[PhotoStats], size: tuple[int, int], fov: tuple[float, float]) -> tuple[float, float]:
    """Camera pitch in degrees, from the row where most photographs have their horizon and the field of view."""
    votes = np.sum([p.votes for p in photos], 0)
    peak = HORIZONS[int(np.convolve(votes, [0.5, 1, 0.5], "same").argmax())]
    own = np.array([HORIZONS[int(p.votes.argmax())] for p in photos])
    near = own[np.abs(own - peak) < 0.12]
    spread = max(float(np.median(np.abs(near - peak))) * 1.5 if len(near) else 0.0, 0.02)
    focal = size[0] / 2 / np.tan(np.deg2rad(np.mean(fov)) / 2)
    low, high = (float(np.rad2deg(np.arctan((row - 0.5) * size[1] / focal))) for row in (peak - spread, peak + spread))
    return max(low - 1.0, -60.0), min(high + 1.0, 60.0)  # a level road is not always level


@dataclass(frozen=True, slots=True)
class Probe:
    """One neutral render, kept as radiance."""

    rgb_HW3: F32
    camera: CameraSpec
    gain: float

    def photo(self, index: int, **change: Any) -> U8:
        """Develop it with other settings."""
        return expose(self.rgb_HW3, replace(self.camera, **change), np.random.default_rng(index), self.gain)


NEUTRAL: dict[str, Any] = {
    "exposure": 1.0,
    "white_balance": (1.0, 1.0, 1.0),
    "gamma_contrast": (2.2, 1.0),
    "saturation": 1.0,
    "blur": 0.0,
    "noise": 0.0,
    "vignette": 0.1,
}


def _probes(spec: SceneSpec, size: tuple[int, int]) -> list[Probe]:
    """Worlds of the scene without cloud patterns, camera neutral."""
    out = []
    for i in progress(range(PROBES), "compare with renders"):
        world = build_world(0x11CE, i, spec, size)
        world = replace(world, camera=replace(world.camera, **NEUTRAL))
        scene = assemble(world, size)
        rgb = linear(scene, gbuffer(scene, size), atlas())
        out.append(Probe(rgb, world.camera, meter(rgb)))
    return out


class Fit:
    """Moves camera settings until probes measure like photographs.

    Args:
        photos: The target.
        probes: Neutral renders of the same size.
    """

    def __init__(self, photos: list[PhotoStats], probes: list[Probe]) -> None:
        self.photos, self.probes = photos, probes
        self.settings = dict(NEUTRAL)

    def _measure(self, key: str) -> float:
        """Mean of a measurement over the probes, developed with the settings so far."""
        photos = (p.photo(i, **self.settings) for i, p in enumerate(self.probes))
        return float(np.mean([MEASURES[key](photo) for photo in photos]))

    def _target(self, key: str, share: float | None = None) -> float:
        values = [getattr(p, key) for p in self.photos]
        return float(np.mean(values) if share is None else np.quantile(values, share))

    def _solve(self, name: str, key: str, wanted: float, low: float, high: float, index: int | None = None) -> float:
        """The value of a setting at which the probes measure ``wanted``, by bisection: measurements are monotone."""

        def put(value: float) -> None:
            before = self.settings[name]
            self.settings[name] = value if index is None else (*before[:index], value, *before[index + 1 :])

        put(high)
        rising = self._measure(key)
        put(low)
        rises = rising > self._measure(key)
        for _ in range(7):
            middle = (low + high) / 2
            put(middle)
            if (self._measure(key) < wanted) == rises:
                low = middle
            else:
                high = middle
        put((low + high) / 2)
        return (low + high) / 2

    def ranges(self) -> dict[str, tuple[float, float]]:
        """Ranges of ``camera`` in a scene file."""
        for _ in range(2):  # exposure, contrast and colour lean on each other
            self._solve("exposure", "mean", self._target("mean"), 0.1, 4.0)
            contrast = self._solve("gamma_contrast", "spread", self._target("spread"), 0.5, 1.8, 1)
            warmth = self._warmth()
            saturation = self._solve("saturation", "saturation", self._target("saturation"), 0.1, 2.0)
            noise = self._solve("noise", "grain", self._target("grain"), 0.0, 0.08)
            blur = self._solve("blur", "sharpness", self._target("sharpness"), 0.0, 2.5)
        middle = self.settings["exposure"]
        dark = self._solve("exposure", "mean", self._target("mean", 0.15), 0.1, 4.0)
        bright = self._solve("exposure", "mean", self._target("mean", 0.85), 0.1, 4.0)
        self.settings["exposure"] = middle
        return {
            "exposure": (min(dark, 0.9 * middle), max(bright, 1.1 * middle)),
            "warmth": (max(warmth - 0.05, -0.4), min(warmth + 0.05, 0.4)),
            "contrast": (0.88 * contrast, 1.12 * contrast),
            "saturation": (0.8 * saturation, 1.2 * saturation),
            "blur": (max(0.0, blur - 0.2), blur + 0.25),
            "noise": (0.5 * noise, min(2 * noise, 0.5)),
        }

    def _warmth(self) -> float:
        low, high = -0.35, 0.35
        for _ in range(7):
            warm = (low + high) / 2
            self.settings["white_balance"] = (1 + warm, 1.0, 1 - warm)
            if self._measure("warmth") < self._target("warmth"):
                low = warm
            else:
                high = warm
        return (low + high) / 2
