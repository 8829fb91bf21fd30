"""One function a format. Numbers and colours come from the sets' own documentation, not from the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from tests.lookalikes.png16 import save_wide
from tests.lookalikes.streets import Made, Names, number, paint, photo, save, street

SIZE = (64, 48)

CITYSCAPES = {
    "": 4, "road": 7, "sidewalk": 8, "building": 11, "wall": 12, "fence": 13, "pole": 17, "traffic light": 19,
    "traffic sign": 20, "vegetation": 21, "terrain": 22, "sky": 23, "person": 24, "rider": 25, "car": 26, "truck": 27,
    "bus": 28, "train": 31, "motorcycle": 32, "bicycle": 33,
}  # fmt: skip
THINGS = [name for name in CITYSCAPES if name not in ("", "road", "building", "sky")]
CARLA_PALETTE = {
    "": (0, 0, 0), "building": (70, 70, 70), "fence": (190, 153, 153), "person": (220, 20, 60), "pole": (153, 153, 153),
    "road": (128, 64, 128), "sidewalk": (244, 35, 232), "vegetation": (107, 142, 35), "car": (0, 0, 142),
    "wall": (102, 102, 156), "traffic sign": (220, 220, 0), "sky": (70, 130, 180),
}  # fmt: skip
VKITTI_PALETTE = {
    "": (80, 80, 80), "terrain": (210, 0, 200), "sky": (90, 200, 255), "vegetation": (0, 199, 0),
    "building": (140, 140, 140), "road": (100, 60, 100), "traffic sign": (255, 255, 0), "traffic light": (200, 200, 0),
    "pole": (255, 130, 0), "truck": (160, 60, 60), "car": (255, 127, 80),
}  # fmt: skip


def _streets(
    seed: int, count: int, size: tuple[int, int], things: list[str]
) -> list[tuple[np.random.Generator, Names]]:
    """Streets, each with four things, so that over a few frames all occur."""
    made = []
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        made.append((rng, street(rng, size, [things[(4 * i + k) % len(things)] for k in range(4)])))
    return made


def cityscapes(root: Path, count: int = 4, size: tuple[int, int] = SIZE, extra: bool = False) -> Made:
    """``leftImg8bit/{train,val}`` with ``gtFine`` labelIds; with ``extra`` also unlabelled ``train_extra`` frames."""
    made = Made(f"cityscapes:{root}", root)
    for i, (rng, names_HW) in enumerate(_streets(1, count, size, THINGS)):
        split, city = ("val", "ulm") if i % 4 == 3 else ("train", "aachen")
        name = f"{city}_{i:06d}_000019"
        save(root / f"leftImg8bit/{split}/{city}/{name}_leftImg8bit.png", photo(rng, size))
        save(root / f"gtFine/{split}/{city}/{name}_gtFine_labelIds.png", number(names_HW, CITYSCAPES))
        made.truth[name] = names_HW
    for i in range(count if extra else 0):
        rng = np.random.default_rng([2, i])
        save(root / f"leftImg8bit/train_extra/augsburg/augsburg_{i:06d}_000019_leftImg8bit.png", photo(rng, size))
    return made


def gta5(root: Path, count: int = 5, size: tuple[int, int] = SIZE) -> Made:
    """``images/`` and ``labels/`` with palette PNG labels, ids 34 and 255 (-1) among them."""
    made = Made(f"gta5:{root}", root)
    colors = np.zeros((256, 3), np.uint8)
    colors[7], colors[11], colors[23], colors[26] = (128, 64, 128), (70, 70, 70), (70, 130, 180), (0, 0, 142)
    for i, (rng, names_HW) in enumerate(_streets(3, count, size, THINGS), start=1):
        ids_HW = number(names_HW, CITYSCAPES)
        odd = np.argwhere(names_HW == "")[:2]
        for (y, x), value in zip(odd, (34, 255), strict=False):
            ids_HW[y, x] = value
        picture = Image.fromarray(ids_HW)
        picture.putpalette(colors.tobytes())
        save(root / f"images/{i:05d}.png", photo(rng, size))
        (root / "labels").mkdir(exist_ok=True)
        picture.save(root / f"labels/{i:05d}.png")
        made.truth[f"{i:05d}"] = names_HW
    return made


def synthia(root: Path, count: int = 6, size: tuple[int, int] = SIZE) -> Made:
    """RAND-CITYSCAPES: ``RGB/`` and ``GT/LABELS/``, 16 bits a channel: class in the first, instance in the next."""
    ids = {
        "": 0, "sky": 1, "building": 2, "road": 3, "sidewalk": 4, "fence": 5, "vegetation": 6, "pole": 7, "car": 8,
        "traffic sign": 9, "person": 10, "bicycle": 11, "motorcycle": 12, "traffic light": 15, "rider": 17, "bus": 19,
        "wall": 21,
    }  # fmt: skip
    return _synthia(Made(f"synthia:{root}", root), ids, count, size, digits=7)


def synthia_sequence(root: Path, count: int = 4, size: tuple[int, int] = SIZE) -> Made:
    """A sequence: 12 is lane marking (road), 11 the bicycle with its rider, 15 the traffic light."""
    ids = {
        "": 0, "sky": 1, "building": 2, "road": 3, "sidewalk": 4, "fence": 5, "vegetation": 6, "pole": 7, "car": 8,
        "traffic sign": 9, "person": 10, "bicyclist": 11, "lane marking": 12, "traffic light": 15,
    }  # fmt: skip
    return _synthia(Made(f"synthia:{root}", root), ids, count, size, digits=6)


def _synthia(made: Made, ids: dict[str, int], count: int, size: tuple[int, int], digits: int) -> Made:
    things = [name for name in ids if name not in ("", "sky", "building", "road")]
    for i, (rng, names_HW) in enumerate(_streets(4, count, size, things)):
        name = f"{i:0{digits}d}"
        classes_HW = number(names_HW, ids, np.uint16)
        instances_HW = np.isin(names_HW, ("car", "person", "motorcycle", "bicycle", "rider")) * (i + 1)
        save(made.root / f"RGB/{name}.png", photo(rng, size))
        save_wide(made.root / f"GT/LABELS/{name}.png", np.stack([classes_HW, instances_HW, 0 * classes_HW], axis=2))
        made.truth[name] = np.where(names_HW == "lane marking", "road", names_HW)
    return made


def kitti(root: Path, count: int = 4, size: tuple[int, int] = SIZE) -> Made:
    """``training/image_2`` with ``training/semantic`` (Cityscapes ids), and ``testing/image_2`` without labels."""
    made = Made(f"kitti:{root}", root)
    for i, (rng, names_HW) in enumerate(_streets(5, count, size, THINGS)):
        save(root / f"training/image_2/{i:06d}_10.png", photo(rng, size))
        save(root / f"training/semantic/{i:06d}_10.png", number(names_HW, CITYSCAPES))
        made.truth[f"training_{i:06d}_10"] = names_HW
        save(root / f"testing/image_2/{i:06d}_10.png", photo(rng, size))
    return made


def vkitti2(root: Path, count: int = 3, size: tuple[int, int] = SIZE) -> Made:
    """``Scene*/<variant>/frames/{rgb,classSegmentation}/Camera_*`` with ``colors.txt``."""
    made = Made(f"vkitti2:{root}", root)
    things = [name for name in VKITTI_PALETTE if name not in ("", "sky", "building", "road")]
    for scene, variant in (("Scene01", "clone"), ("Scene02", "fog")):
        top = root / scene / variant
        for i, (rng, names_HW) in enumerate(_streets(6 + int(scene[-1]), count, size, things)):
            save(top / f"frames/rgb/Camera_0/rgb_{i:05d}.jpg", photo(rng, size), quality=95)
            save(top / f"frames/classSegmentation/Camera_0/classgt_{i:05d}.png", paint(names_HW, VKITTI_PALETTE))
            depth_HW = np.full((size[1], size[0]), 65535, np.uint16)
            depth_HW[size[1] // 2 :] = 100 * (i + 1)  # centimetres
            save(top / f"frames/depth/Camera_0/depth_{i:05d}.png", depth_HW)
            made.truth[f"{scene}_{variant}_Camera_0_{i:05d}"] = names_HW
        called = {"": "Misc", "vegetation": "Tree", "traffic sign": "TrafficSign", "traffic light": "TrafficLight"}
        lines = [f"{called.get(n, n.capitalize())} {r} {g} {b}" for n, (r, g, b) in VKITTI_PALETTE.items()]
        (top / "colors.txt").write_text("\n".join(["Category r g b", *lines]) + "\n", encoding="utf-8")
    return made


def carla_ids(root: Path, count: int = 5, size: tuple[int, int] = SIZE) -> Made:
    """CarlaScapes: one flat folder of ``*_img`` and ``*_labelIds`` with the numbers of CARLA 0.9.14."""
    order = [
        "",
        "road",
        "sidewalk",
        "building",
        "wall",
        "fence",
        "pole",
        "traffic light",
        "traffic sign",
        "vegetation",
        "terrain",
        "sky",
        "person",
        "rider",
        "car",
        "truck",
        "bus",
        "train",
        "motorcycle",
        "bicycle",
    ]
    made = Made(f"carla:{root}", root)
    for i, (rng, names_HW) in enumerate(_streets(9, count, size, THINGS)):
        name = f"Town10HD_{i:06d}_5026200"
        save(root / f"{name}_img.png", photo(rng, size))
        save(root / f"{name}_labelIds.png", number(names_HW, {n: k for k, n in enumerate(order)}))
        made.truth[name] = names_HW
    return made


def carla_colors(root: Path, count: int = 3, size: tuple[int, int] = SIZE) -> Made:
    """CARLA 0.9.5: ``RGB/`` and ``Segmentation_Images/`` as RGBA colours of its palette; no sky, that is black."""
    made = Made(f"carla:{root}", root)
    things = [name for name in CARLA_PALETTE if name not in ("", "sky", "building", "road")]
    for i, (rng, names_HW) in enumerate(_streets(10, count, size, things)):
        names_HW = np.where(names_HW == "sky", "", names_HW)
        opaque = np.full((*names_HW.shape, 1), 255, np.uint8)
        for folder, rgb_HWC in (("RGB", photo(rng, size)), ("Segmentation_Images", paint(names_HW, CARLA_PALETTE))):
            save(root / folder / f"{183310 + i:08d}.png", np.concatenate([rgb_HWC, opaque], axis=2))
        made.truth[f"{183310 + i:08d}"] = names_HW
    return made


def carla_red(root: Path, count: int = 3, size: tuple[int, int] = SIZE) -> Made:
    """What CARLA 0.9.13 and older save: class numbers in the red channel of an RGBA picture; 0 is the sky too."""
    order = [
        "",
        "building",
        "fence",
        "",
        "person",
        "pole",
        "",
        "road",
        "sidewalk",
        "vegetation",
        "car",
        "wall",
        "traffic sign",
    ]
    ids = {name: k for k, name in enumerate(order) if name} | {"": 0}
    made = Made(f"carla:{root}", root)
    for i, (rng, names_HW) in enumerate(
        _streets(11, count, size, [n for n in order if n not in ("", "road", "building")])
    ):
        names_HW = np.where(names_HW == "sky", "", names_HW)
        rgba_HWC = np.zeros((*names_HW.shape, 4), np.uint8)
        rgba_HWC[..., 0], rgba_HWC[..., 3] = number(names_HW, ids), 255
        save(root / f"CameraRGB/{i:06d}.png", photo(rng, size))
        save(root / f"CameraSeg/{i:06d}.png", rgba_HWC)
        made.truth[f"{i:06d}"] = names_HW
    return made


def camvid(root: Path, count: int = 6, size: tuple[int, int] = SIZE) -> Made:
    """The SegNet layout: ``train trainannot val valannot test testannot``. Truth in camvid11's own names."""
    order = [
        "sky",
        "building",
        "pole",
        "road",
        "sidewalk",
        "tree",
        "sign",
        "fence",
        "car",
        "pedestrian",
        "bicyclist",
        "",
    ]
    made = Made(f"camvid:{root}", root)
    for i, (rng, names_HW) in enumerate(
        _streets(12, count, size, [n for n in order if n not in ("", "sky", "building", "road")])
    ):
        split = ("train", "train", "train", "train", "val", "test")[i % 6]
        save(root / split / f"0001TP_{i:06d}.jpg", photo(rng, size), quality=95)
        save(root / f"{split}annot" / f"0001TP_{i:06d}.png", number(names_HW, {n: k for k, n in enumerate(order)}))
        made.truth[f"0001TP_{i:06d}"] = names_HW
    return made


def folder(root: Path, count: int = 4, size: tuple[int, int] = SIZE, space: object = "cityscapes19") -> Made:
    """``images/``, ``labels/`` of train ids, a hand-written ``dataset.yaml`` with splits (none if ``space=None``)."""
    ids = {name: k for k, name in enumerate(n for n in CITYSCAPES if n)} | {"": 255}
    made = Made(f"folder:{root}", root)
    for i, (rng, names_HW) in enumerate(_streets(13, count, size, THINGS)):
        save(root / f"images/frame_{i}.jpg", photo(rng, size), quality=95)
        save(root / f"labels/frame_{i}.png", number(names_HW, ids))
        made.truth[f"frame_{i}"] = names_HW
    if space is not None:
        splits = {"train": [f"frame_{i}" for i in range(count - 1)], "val": [f"frame_{count - 1}"]}
        (root / "dataset.yaml").write_text(yaml.safe_dump({"space": space, "splits": splits}), encoding="utf-8")
    return made


def photographs(root: Path, size: tuple[int, int] = SIZE) -> Made:
    """Somebody's pictures: several formats, one folder down too, no labels."""
    rng = np.random.default_rng(14)
    for name in ("a.jpg", "b.PNG", "holiday/c.webp", "holiday/d.bmp", "holiday/more/e.jpeg"):
        save(root / name, photo(rng, size))
    return Made(str(root), root)
