"""What a set of default frames holds, whatever it looks like: rays are cast, nothing is shaded or written."""

from __future__ import annotations

import pytest

from simteacher.scenes.assemble import assemble
from simteacher.scenes.classes import CLASSES
from simteacher.scenes.raycast import gbuffer
from simteacher.scenes.spec import SceneSpec
from simteacher.scenes.world import build_world

SIZE = (96, 72)


@pytest.mark.slow
def test_every_class_of_cityscapes_within_500_frames() -> None:
    missing = set(range(19))
    for frame in range(500):
        missing -= set(gbuffer(assemble(build_world(1, frame, SceneSpec(), SIZE), SIZE), SIZE).class_N.tolist())
        if not missing:
            return
    pytest.fail(f"never seen: {[CLASSES[i] for i in missing]}")
