"""What the raw label values of each data set mean, by class name: the sets' own tables, ignored names included.

A value that is not here is an error of the file, not something to ignore; 255 alone is always allowed.
"""

from __future__ import annotations

import re

from simteacher.labels import RGB, SPACES


def _ids(names: str) -> dict[int, str]:
    """Class names in the order of their ids, separated by commas."""
    return dict(enumerate(re.split(r",\s+", names)))


# cityscapesscripts/helpers/labels.py. KITTI and GTA5 use the same ids; GTA5 adds 34 for licence plates.
CITYSCAPES_IDS: dict[int, str] = _ids(
    """unlabeled, ego vehicle, rectification border, out of roi, static, dynamic, ground, road, sidewalk, parking,
    rail track, building, wall, fence, guard rail, bridge, tunnel, pole, polegroup, traffic light, traffic sign,
    vegetation, terrain, sky, person, rider, car, truck, bus, caravan, trailer, train, motorcycle, bicycle"""
) | {-1: "license plate"}
TRAIN_IDS: dict[int, str] = dict(enumerate(SPACES["cityscapes19"].classes))
GTA5_IDS: dict[int, str] = CITYSCAPES_IDS | {34: "license plate"}

# the label space in which each set is usually read
NATURAL: dict[str, str] = {
    "camvid": "camvid11",
    "carla": "cityscapes19",
    "cityscapes": "cityscapes19",
    "gta5": "cityscapes19",
    "kitti": "cityscapes19",
    "synthia": "cityscapes16",
    "vkitti2": "cityscapes19",
}

CAMVID_IDS: dict[int, str] = dict(enumerate((*SPACES["camvid11"].classes, "void")))

# SYNTHIA's first eleven ids are the same everywhere. The sequences (and the single frames cut from them) go on with 12
# for lane markings and 15 for traffic lights; RAND-CITYSCAPES goes on with 12 for motorcycles.
_SYNTHIA = "void, sky, building, road, sidewalk, fence, vegetation, pole, car, traffic sign, person, "
SYNTHIA_RELEASES: dict[str, dict[int, str]] = {
    # here 11 is the bicycle together with its rider
    "SEQS": _ids(_SYNTHIA + "bicyclist, lane marking, reserved, reserved, traffic light"),
    "RAND-CITYSCAPES": _ids(
        _SYNTHIA
        + """bicycle, motorcycle, parking slot, road work, traffic light, terrain, rider, truck, bus, train, wall,
        lane marking"""
    ),
}

# CARLA's manual, "Semantic segmentation camera". The numbers changed with 0.9.14, which begins like Cityscapes.
CARLA_RELEASES: dict[str, dict[int, str]] = {
    "0.9.13 or older": _ids(
        """unlabeled, building, fence, other, pedestrian, pole, road line, road, sidewalk, vegetation, vehicle, wall,
        traffic sign, sky, ground, bridge, rail track, guard rail, traffic light, static, dynamic, water, terrain"""
    ),
    "0.9.14 or newer": _ids(
        """unlabeled, road, sidewalk, building, wall, fence, pole, traffic light, traffic sign, vegetation, terrain,
        sky, pedestrian, rider, car, truck, bus, train, motorcycle, bicycle, static, dynamic, other, water, road line,
        ground, bridge, rail track, guard rail"""
    ),
}

# Colours of CARLA's palette over all releases: none of them ever meant two classes.
CARLA_COLORS: dict[RGB, str] = {
    **{color: name for name, color in zip(SPACES["cityscapes19"].classes, SPACES["cityscapes19"].colors, strict=True)},
    (0, 0, 0): "unlabeled",
    (100, 40, 40): "fence",
    (250, 170, 160): "other",
    (55, 90, 80): "other",
    (72, 0, 90): "other",
    (157, 234, 50): "road line",
    (81, 0, 81): "ground",
    (150, 100, 100): "bridge",
    (230, 150, 140): "rail track",
    (180, 165, 180): "guard rail",
    (110, 190, 160): "static",
    (170, 120, 50): "dynamic",
    (45, 60, 150): "water",
    (145, 170, 100): "terrain",
}

# Virtual KITTI 2's colors.txt; a set that brings its own file is read by that file.
VKITTI2_COLORS: dict[RGB, str] = {
    (210, 0, 200): "terrain",
    (90, 200, 255): "sky",
    (0, 199, 0): "tree",
    (90, 240, 0): "vegetation",
    (140, 140, 140): "building",
    (100, 60, 100): "road",
    (250, 100, 255): "guard rail",
    (255, 255, 0): "traffic sign",
    (200, 200, 0): "traffic light",
    (255, 130, 0): "pole",
    (80, 80, 80): "misc",
    (160, 60, 60): "truck",
    (255, 127, 80): "car",
    (0, 139, 139): "van",
    (0, 0, 0): "undefined",
}


def packed(color: RGB) -> int:
    """A colour as one number, the raw id of labels that are stored as colours."""
    return color[0] << 16 | color[1] << 8 | color[2]
