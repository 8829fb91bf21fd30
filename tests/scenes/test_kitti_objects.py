"""KITTI's label_2: what counts as one object there."""

from __future__ import annotations

import numpy as np
import pytest

from simteacher.scenes import job, write_kitti
from simteacher.scenes.capture import capture
from simteacher.scenes.frame import draw
from simteacher.scenes.spec import SceneSpec
from simteacher.scenes.world import build_world

RIDDEN = (("rider", 10), ("motorcycle", 15), ("bicycle", 20))


def test_a_cyclist_is_boxed_with_the_bicycle() -> None:
    """One line that holds both; a motorcycle with its rider stays one thing of no class; the rest is as it was."""
    spec = SceneSpec.model_validate({"stage": [{"what": k, "ahead": a, "speed": 3} for k, a in RIDDEN]})
    world = build_world(1, 0, spec, (160, 120))
    c = capture("000000", draw(world, (160, 120), job.atlas(), np.random.default_rng(0)))
    plain, lines = c.meta["objects"], write_kitti.joined(c)
    pose = next(o["world"]["pose"] for o in plain if o["class"] == "rider" and 8 < o["distance"] < 12)
    bicycle, rider = (
        next(o for o in plain if o["class"] == k and o["world"]["pose"] == pose) for k in ("bicycle", "rider")
    )
    (both,) = (o for o in lines if o["world"]["pose"] == pose)
    assert both["class"] == "rider" and both["dimensions"][0] == pytest.approx(bicycle["dimensions"][0], abs=0.02)
    assert both["dimensions"][2] == pytest.approx(rider["dimensions"][2] + 0.2, abs=0.5)  # wheels to head
    assert both["full_box"][3] == max(bicycle["full_box"][3], rider["full_box"][3])
    assert both["full_box"][1] == min(bicycle["full_box"][1], rider["full_box"][1])
    poses = [str(o["world"]["pose"]) for o in plain]
    ridden = [p for p in set(poses) if poses.count(p) == 2]
    assert len(lines) == len(plain) - len(ridden) and len(ridden) >= 2
    for line in (write_kitti.label_line(o, c).split() for o in lines):
        left, top, right, bottom = map(float, line[4:8])
        assert 0 <= left <= right <= 159 and 0 <= top <= bottom <= 119
    for o, line in zip(lines, (write_kitti.label_line(o, c).split() for o in lines), strict=True):
        y, x = np.nonzero(c.instance_HW == o["instance"])  # centres of pixels, as calib has them
        left, top, right, bottom = map(float, line[4:8])
        off = max(left - x.min(), top - y.min(), x.max() - right, y.max() - bottom)
        assert off < 0.01, (o["class"], line[4:8], [x.min(), y.min(), x.max(), y.max()])
