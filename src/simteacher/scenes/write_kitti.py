"""Frames in KITTI's layouts: scene flow and semantics in ``training/``, detection in ``object/training/``.

``training/``: ``image_2 semantic instance depth_2 flow_occ flow_noc``, all called ``NNNNNN_10.png``; of clips also the
next image, ``image_2/NNNNNN_11.png``. Depth is the depth benchmark's (metres * 256, 0 = none), flow that of 2015.
``object/training/``: ``image_2/NNNNNN.png``, ``label_2/NNNNNN.txt``, ``calib/NNNNNN.txt``.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from simteacher.data.folder import link_file
from simteacher.data.png16 import write_png16
from simteacher.files import atomic_path, atomic_write
from simteacher.scenes.capture import Capture
from simteacher.scenes.motion import HIDDEN
from simteacher.scenes.truth import Object
from simteacher.scenes.write_cityscapes import label_ids, stored_image
from simteacher.scenes.write_folder import flow_pixels

RIDDEN = (("bicycle", "motorcycle"), ("rider",))
KIND = {"car": "Car", "truck": "Truck", "train": "Tram", "person": "Pedestrian", "rider": "Cyclist"}


def stem(name: str) -> str:
    """``000123`` stays; ``00001_0007`` (clip and frame) becomes ``001007``."""
    clip, _, frame = name.rpartition("_")
    return f"{int(clip) * 1000 + int(frame):06d}" if clip else f"{int(frame):06d}"


def image_path(out: Path, name: str) -> Path:
    """Where the picture of a frame is."""
    return out / "training" / "image_2" / f"{stem(name)}_10.png"


def write(out: Path, c: Capture) -> None:
    """Write one frame."""
    at, name = out / "training", f"{stem(c.name)}_10.png"
    depth = np.where(c.depth_HW < 255.99, np.rint(np.minimum(c.depth_HW, 256) * 256), 0).astype(np.uint16)
    wide = c.instance_HW.astype(np.uint32)  # labelId * 1000 + k, or the labelId: KITTI counts from 1 and by 256
    label = label_ids(c.label_HW).astype(np.uint32)
    instance = np.where(wide >= 1000, label * 256 + np.minimum(wide % 1000 + 1, 255), label * 256).astype(np.uint16)
    pictures = {
        "semantic": Image.fromarray(label_ids(c.label_HW)),
        "instance": Image.fromarray(instance),
        "depth_2": Image.fromarray(depth),
        "image_2": stored_image(c),
    }
    for kind, picture in pictures.items():
        with atomic_path(at / kind / name) as part:
            picture.save(part, "PNG", compress_level=1)
    if c.flow is not None:
        pixels = flow_pixels(*c.flow)
        known = pixels[..., 2] > 0
        for kind, valid in (("flow_occ", known), ("flow_noc", known & (c.flow[1] != HIDDEN))):
            stored = np.where(valid[..., None], pixels, 0).astype(np.uint16)
            stored[..., 2] = valid
            with atomic_path(at / kind / name) as part:
                write_png16(part, stored)
    detection = out / "object" / "training"
    link_file(at / "image_2" / name, detection / "image_2" / f"{stem(c.name)}.png")
    atomic_write(detection / "label_2" / f"{stem(c.name)}.txt", "".join(label_line(o, c) for o in joined(c)))
    atomic_write(detection / "calib" / f"{stem(c.name)}.txt", calib(c))


def joined(c: Capture) -> list[Object]:
    """The frame's objects, what has a rider as one with it: KITTI boxes a cyclist together with the bicycle.

    A motorcycle with its rider stays a motorcycle.
    """
    mounts, riders = (
        {str(o["world"]["pose"]): o for o in c.meta["objects"] if o["class"] in names} for names in RIDDEN
    )
    out: list[Object] = []
    for thing in c.meta["objects"]:
        at = str(thing["world"]["pose"])
        mount, rider = mounts.get(at), riders.get(at)
        if mount is None or rider is None or (thing is not mount and thing is not rider):
            out.append(thing)
        elif thing is mount:
            out.append(_union(mount, rider, c))
    return out


def _union(mount: Object, rider: Object, c: Capture) -> Object:
    """One object of two that share a pose."""
    both, pose = (mount, rider), np.array(mount["world"]["pose"])
    middle = [pose[:3, :3].T @ (np.array(o["world"]["centre"]) - pose[:3, 3]) for o in both]
    half = [np.array(o["dimensions"]) / 2 for o in both]
    low, high = np.min(np.subtract(middle, half), 0), np.max(np.add(middle, half), 0)
    camera = np.array(c.meta["camera"]["camera_to_world"])
    centre = pose[:3, :3] @ ((low + high) / 2) + pose[:3, 3]
    boxes = np.array([o["full_box"] for o in both])
    whole = [o["pixels"] / max(1 - o["occlusion"], 1e-6) for o in both]  # pixels, if nothing hid them
    return {
        **mount,
        "class": "rider" if mount["class"] == "bicycle" else mount["class"],
        "dimensions": (high - low).tolist(),
        "full_box": [*boxes[:, :2].min(0).tolist(), *boxes[:, 2:].max(0).tolist()],
        "occlusion": 1 - sum(o["pixels"] for o in both) / sum(whole),
        "truncation": max(o["truncation"] for o in both),
        "camera": {**mount["camera"], "centre": (camera[:3, :3].T @ (centre - camera[:3, 3])).tolist()},
    }


def label_line(thing: Object, c: Capture) -> str:
    """One object of label_2 (object development kit, readme.txt): the place is that of the bottom's middle."""
    h, w = c.label_HW.shape
    length, width, height = thing["dimensions"]
    pose = np.array(c.meta["camera"]["camera_to_world"])
    down = pose[:3, :3].T @ np.array([0, 0, -height / 2])
    x, y, z = np.array(thing["camera"]["centre"]) + down
    turn = thing["camera"]["rotation_y"]
    alpha = (turn - np.arctan2(x, z) + np.pi) % (2 * np.pi) - np.pi
    # pixel centres are at whole numbers here, as in calib; a full box has them at halves
    left, top, right, bottom = (v - 0.5 for v in thing["full_box"])
    left, top = min(max(left, 0), w - 1), min(max(top, 0), h - 1)
    box = (left, top, max(min(right, w - 1), left), max(min(bottom, h - 1), top))
    hidden = 0 if thing["occlusion"] < 0.05 else 1 if thing["occlusion"] < 0.5 else 2
    numbers = " ".join(f"{v:.2f}" for v in (*box, height, width, length, x, y, z, turn))
    return f"{KIND.get(thing['class'], 'Misc')} {thing['truncation']:.2f} {hidden} {alpha:.2f} {numbers}\n"


def calib(c: Capture) -> str:
    """Calibration of one frame: one camera, and a laser that sits in it with axes x forward, y left, z up."""
    k = np.concatenate([np.array(c.meta["camera"]["intrinsics"]), np.zeros((3, 1))], 1)
    rows = {f"P{i}": k for i in range(4)} | {
        "R0_rect": np.eye(3),
        "Tr_velo_to_cam": np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0]]),
        "Tr_imu_to_velo": np.eye(4)[:3],
    }
    return "".join(f"{key}: {' '.join(f'{v:.12e}' for v in value.ravel())}\n" for key, value in rows.items())


def files(out: Path, name: str) -> list[Path]:
    """All that a finished frame has, but for flow."""
    maps = [out / "training" / kind / f"{stem(name)}_10.png" for kind in ("image_2", "semantic", "instance", "depth_2")]
    boxes = [out / "object" / "training" / kind / f"{stem(name)}.txt" for kind in ("label_2", "calib")]
    return [*maps, *boxes, out / "object" / "training" / "image_2" / f"{stem(name)}.png"]


def whole(out: Path, name: str, last: bool) -> bool:
    """Whether a clip's frame has the flow that it should: a set that grows lacks that of what was its last frame."""
    return last or (out / "training" / "flow_occ" / f"{stem(name)}_10.png").is_file()


def finish(out: Path, names: list[str]) -> None:
    """Of clips: put the next frame beside each as ``_11``; the last of a clip has none, so its flow goes."""
    at = out / "training"
    for name, following in zip(names, [*names[1:], ""], strict=True):
        clip = name.rpartition("_")[0]
        if not clip:
            return
        if following.rpartition("_")[0] == clip:
            link_file(image_path(out, following), at / "image_2" / f"{stem(name)}_11.png")
        else:
            for kind in ("flow_occ", "flow_noc"):
                with suppress(FileNotFoundError):
                    (at / kind / f"{stem(name)}_10.png").unlink()
