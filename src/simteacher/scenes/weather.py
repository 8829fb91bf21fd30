"""Sun, sky and air by weather and time of day."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simteacher.scenes.draw import choose, uniform
from simteacher.scenes.mesh import Light
from simteacher.scenes.palette import Rng
from simteacher.scenes.spec import LightSpec


def make_light(g: Rng, spec: LightSpec) -> Light:
    """One light. Radiance is relative: the camera meters every frame."""
    weather, time = choose(g, spec.weather), choose(g, spec.time)
    height = np.deg2rad(
        {"day": g.uniform(18, 65), "low_sun": g.uniform(5, 20), "dusk": g.uniform(0.5, 5), "night": -12.0}[time]
    )
    azimuth = np.deg2rad(uniform(g, spec.azimuth))
    sun_3 = (
        float(np.cos(height) * np.cos(azimuth)),
        float(np.cos(height) * np.sin(azimuth)),
        float(max(np.sin(height), 0.02)),
    )
    cloud = {
        "clear": g.uniform(0, 0.25),
        "fair": g.uniform(0.25, 0.75),
        "overcast": g.uniform(0.8, 1),
        "rain": g.uniform(0.85, 1),
        "fog": g.uniform(0.5, 1),
    }[weather]
    direct = {
        "clear": g.uniform(1.6, 3.0),
        "fair": g.uniform(1.0, 2.6),
        "overcast": 0.0,
        "rain": 0.0,
        "fog": g.uniform(0, 0.3),
    }[weather]
    warm = float(np.clip(np.rad2deg(height) / 35, 0, 1))
    sun = direct * np.array([1.0, 0.72 + 0.24 * warm, 0.45 + 0.42 * warm])
    blue = np.array([0.68, 0.82, 1.0]) * g.uniform(0.35, 0.6)
    white = np.array([0.96, 0.98, 1.02]) * g.uniform(0.7, 1.3)
    sky = blue * (1 - cloud) + white * cloud
    horizon = sky * g.uniform(0.9, 1.3) + np.array([1, 0.98, 0.95]) * g.uniform(0.1, 0.8) * (1 - 0.5 * cloud)
    if g.random() < 0.45:  # a sky that the sensor will clip
        lift = g.uniform(1.5, 3.5)
        sky, horizon = sky * lift, horizon * lift
        sun = sun * g.uniform(1.0, lift)
    if time == "dusk":
        sun, sky = sun * g.uniform(0.1, 0.5), sky * np.array([0.55, 0.55, 0.8])
        horizon = horizon * np.array([1.0, 0.75, 0.6])
    if time == "night":
        sun, sky, horizon = 0 * sun, sky * 0.01, horizon * np.array([0.02, 0.015, 0.012])
    wet = g.uniform(0.6, 1.0) if weather == "rain" else (g.uniform(0.2, 0.9) if g.random() < 0.06 else 0.0)
    fog = {"fog": g.uniform(0.006, 0.03), "rain": g.uniform(0.0, 0.006)}.get(weather, g.uniform(0, 0.0015))

    def three(v: npt.NDArray[np.float64]) -> tuple[float, float, float]:
        return (float(v[0]), float(v[1]), float(v[2]))

    return Light(
        sun_3,
        three(sun),
        three(sky),
        three(horizon),
        float(cloud),
        float(g.uniform(0.0, 1.0) if g.random() < 0.6 else 0.0) if weather != "fog" else 0.0,
        float(fog),
        float(wet),
        time == "night" or (time == "dusk" and g.random() < 0.5),
        spec.paths,
    )
