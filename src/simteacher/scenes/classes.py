"""The classes that the simulator draws and their Cityscapes ids, as literals: scenes import no data module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

CLASSES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation", "terrain",
    "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
)  # fmt: skip
CLASS_ID = {name: index for index, name in enumerate(CLASSES)}
LABEL_ID = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""Cityscapes labelId of each class (cityscapesscripts.helpers.labels)."""


def instance_ids(names: Sequence[str], countable: Sequence[bool]) -> npt.NDArray[np.uint16]:
    """Cityscapes ids of things in order: labelId, or labelId * 1000 + running count per class; 0 without a class.

    The count follows the order of the list, so a thing keeps its id through a clip.
    """
    seen: Counter[str] = Counter()
    ids = []
    for name, counts in zip(names, countable, strict=True):
        label = LABEL_ID[CLASS_ID[name]] if name in CLASS_ID else 0
        if label and counts:
            ids.append(label * 1000 + min(seen[name], 999))
            seen[name] += 1
        else:
            ids.append(label)
    return np.array(ids, np.uint16)
