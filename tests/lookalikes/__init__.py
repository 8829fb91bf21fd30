"""Tiny look-alikes of every data set format: one function a format writes a folder and says what each pixel is.

``made = lookalikes.synthia(tmp_path / "synthia")``: ``made.truth["0000000"]`` holds class names in the words of
Cityscapes (CamVid's own for `camvid`), and ``made.spec`` opens the set.
"""

from tests.lookalikes.formats import (
    camvid,
    carla_colors,
    carla_ids,
    carla_red,
    cityscapes,
    folder,
    gta5,
    kitti,
    photographs,
    synthia,
    synthia_sequence,
    vkitti2,
)
from tests.lookalikes.streets import CAMVID_OF, Made

__all__ = [
    "CAMVID_OF",
    "Made",
    "camvid",
    "carla_colors",
    "carla_ids",
    "carla_red",
    "cityscapes",
    "folder",
    "gta5",
    "kitti",
    "photographs",
    "synthia",
    "synthia_sequence",
    "vkitti2",
]
