"""The table of layouts: where each known data set keeps its images and labels, and what its raw ids mean.

In: a folder. Out: its files grouped into frames by the row of `SPECS` that fits best. A new layout is a new row.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from simteacher.data.images import IMAGE_SUFFIXES
from simteacher.data.numbering import CAMVID_IDS, CITYSCAPES_IDS, GTA5_IDS, TRAIN_IDS
from simteacher.data.sample import Frame
from simteacher.files import user_error

_TOP = r"(?P<top>(?:.*?/)??)"  # folders between the root and the set, as few as fit
_IMAGE = r"\.(?:jpe?g|png|webp|bmp|tiff?|ppm)"
# folders that people split their own pictures into; in a plain folder other folders are just folders
_SPLIT = r"(?P<split>train|training|val|valid|validation|test|testing)"
_MAPS = "instances|depth|normals|flow|flow_back"
# What stands beside photographs under these names is not a photograph; as to capitals, all are the same.
NO_PHOTOGRAPH = (
    r"(?:.*/)?(?!un|no_)(?:labels?|[^/]*_labels?|labeledapproved[^/]*|masks?|[^/]*_masks?|annotations?|[^/]*annot|"
    rf"confidence|overlays?|{_MAPS}|disparity|(?:forward|backward)\w*flow|"
    r"gt|gt_[^/]*|gt(?:fine|coarse|left|right)[^/]*|ground_?truth|semantic|semantic_[^/]*|instance|seg|"
    r"(?:class|instance|semantic|sem)_?segmentation[^/]*|segmentation(?:_[^/]*)?)/"
    r"|.*_(?:gtfine|gtcoarse)_\w+\.png"
)
SPLIT_ALIASES = {"training": "train", "testing": "test", "valid": "val", "validation": "val"}


@dataclass(frozen=True)
class Spec:
    """One layout.

    Attributes:
        format: Format name of the contract.
        why: What is said when a folder is recognised as this.
        image: Pattern of an image's path below the root, with ``/``. Groups: ``key``, maybe ``split`` and others.
        labels: Where the label is, as templates over the pattern's groups; the first that exists is taken.
        names: Raw id -> class name.
        decode: How label files are read, see `simteacher.data.raw`.
        name: Template of the frame's name.
        asked: It is taken only where its format is named.
        tells: The images' names alone identify the set; otherwise a label has to be found as well.
        extras: Templates of the other files of a frame, by `Frame` field.
    """

    format: str
    why: str
    image: str
    labels: tuple[str, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)
    decode: str = "index"
    name: str = "{key}"
    tells: bool = False
    asked: bool = False
    extras: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


# "outer": an archive unpacked into a folder of its name; "weather": the foggy and rainy versions of the stills
_CITYSCAPES_IMAGE = (
    rf"{_TOP}(?P<outer>(?:leftImg8bit[^/]*/)??)(?:leftImg8bit[^/]*/)?(?P<split>[^/]+)/(?P<city>[^/]+)/"
    r"(?P<key>[^/]+)_leftImg8bit(?P<weather>(?:_(?:foggy|rain)_[^/]+)?)\.(?:png|jpg)"
)
_VKITTI_IMAGE = (
    rf"{_TOP}(?P<release>(?:vkitti_[\d.]+_)?)(?:rgb/)?(?P<split>Scene\d+)/(?P<variant>[^/]+)/frames/rgb/"
    r"(?P<camera>Camera_\d)/rgb_(?P<key>\d+)\.(?:jpg|png)"
)


def _cityscapes(kind: str, what: str) -> tuple[str, ...]:
    """Places of one kind of Cityscapes file: archives in one tree, or each in a folder of its name."""
    inner = f"{kind}/{{split}}/{{city}}/{{key}}_{kind}_{what}.png"
    return (
        f"{{top}}{inner}",
        f"{{top}}{{outer}}{inner}",
        f"{{top}}{kind}_trainvaltest/{inner}",
        f"{{top}}{kind}/{inner}",
    )


def _vkitti(kind: str, stem: str) -> tuple[str, str]:
    """Both places of one kind of Virtual KITTI 2 files: all archives in one tree, or one folder an archive."""
    inner = f"{{split}}/{{variant}}/frames/{kind}/{{camera}}/{stem}_{{key}}.png"
    return f"{{top}}{inner}", f"{{top}}{{release}}{kind}/{inner}"


# Order matters where no FORMAT is given: the first row that fits is taken.
SPECS: tuple[Spec, ...] = (
    Spec(
        "cityscapes",
        "images are called <city>/*_leftImg8bit",
        _CITYSCAPES_IMAGE,
        (*_cityscapes("gtFine", "labelIds"), *_cityscapes("gtCoarse", "labelIds")),
        CITYSCAPES_IDS,
        name="{key}{weather}",
        tells=True,
        extras={"instances": _cityscapes("gtFine", "instanceIds")},
    ),
    Spec(
        "cityscapes",
        "images are called <city>/*_leftImg8bit, labels *_labelTrainIds",
        _CITYSCAPES_IMAGE,
        _cityscapes("gtFine", "labelTrainIds"),
        TRAIN_IDS,
        name="{key}{weather}",
        tells=True,
    ),
    Spec(
        "vkitti2",
        "images are called Scene*/<variant>/frames/rgb/Camera_*/rgb_*",
        _VKITTI_IMAGE,
        _vkitti("classSegmentation", "classgt"),
        decode="vkitti2",
        name="{split}_{variant}_{camera}_{key}",
        tells=True,
        extras={
            "instances": _vkitti("instanceSegmentation", "instancegt"),
            "depth": _vkitti("depth", "depth"),
            "flow": _vkitti("forwardFlow", "flow"),
        },
    ),
    Spec(
        "kitti",
        "images are called training|testing/image_2/NNNNNN_NN",
        rf"{_TOP}(?P<split>training|testing)/image_2/(?P<key>\d{{6}}_\d\d)\.png",
        ("{top}{split}/semantic/{key}.png",),
        CITYSCAPES_IDS,
        name="{split}_{key}",  # both halves count from zero
        tells=True,
        extras={"instances": ("{top}{split}/instance/{key}.png",)},
    ),
    Spec(
        "kitti",
        "images are called <date>_drive_NNNN_*/image_0N/data/NNNNNNNNNN (KITTI raw, without labels)",
        rf"{_TOP}(?P<drive>\d{{4}}_\d\d_\d\d_drive_\d{{4}}_[a-z]+)/image_(?P<camera>\d\d)/data/(?P<key>\d{{10}})\.(?:png|jpg)",
        name="{drive}_{camera}_{key}",
        tells=True,
    ),
    Spec(
        "carla",
        "images are called *_img, labels *_labelIds",
        rf"{_TOP}(?P<key>[^/]+)_img\.(?:png|jpg)",
        ("{top}{key}_labelIds.png",),
        decode="carla",
    ),
    Spec(
        "synthia",
        "images are in RGB/, labels in GT/LABELS/",
        rf"{_TOP}RGB/(?P<key>.+)\.(?:png|jpg)",
        ("{top}GT/LABELS/{key}.png",),
        decode="synthia",
        extras={"depth": ("{top}Depth/{key}.png",)},
    ),
    Spec(
        "carla",
        "images and labels are in RGB/ and Segmentation_Images/, or in another such pair of folders",
        rf"{_TOP}(?:RGB|rgb|CameraRGB|images)/(?P<key>.+)\.(?:png|jpg)",
        ("{top}Segmentation_Images/{key}.png", "{top}CameraSeg/{key}.png"),
        decode="carla",
    ),
    Spec(
        "carla",
        "images and labels are in rgb/ and semantic/ or semantic_segmentation/",
        rf"{_TOP}(?:RGB|rgb|CameraRGB)/(?P<key>.+)\.(?:png|jpg)",
        ("{top}semantic/{key}.png", "{top}semantic_segmentation/{key}.png"),
        decode="carla",
    ),
    Spec(  # so many call their own folders like this that it has to be said
        "carla",
        "images and labels are in images/ and semantic/ or semantic_segmentation/",
        rf"{_TOP}images/(?P<key>.+)\.(?:png|jpg)",
        ("{top}semantic/{key}.png", "{top}semantic_segmentation/{key}.png"),
        decode="carla",
        asked=True,
    ),
    Spec(
        "camvid",
        "images are in train/, val/, test/, labels in trainannot/, valannot/, testannot/",
        rf"{_TOP}(?P<split>train|val|test)/(?P<key>[^/]+)\.(?i:png|jpe?g)",
        ("{top}{split}annot/{key}.png", "{top}{split}annot/{key}.PNG"),
        CAMVID_IDS,
    ),
    Spec(
        "gta5",
        "images/ and labels/ hold PNG files called NNNNN, and there is no dataset.yaml",
        rf"{_TOP}(?:(?P<part>\d\d)_images/)?images/(?P<key>\d{{5}})\.png",
        ("{top}labels/{key}.png", "{top}{part}_labels/labels/{key}.png"),
        GTA5_IDS,
        decode="gta5",
    ),
    Spec(
        "folder",
        "images are in images/",
        rf"images/(?:{_SPLIT}/)?(?P<key>.+){_IMAGE}",
        ("labels/{key}.png", "labels/{split}/{key}.png", "labels/{key}.PNG", "labels/{split}/{key}.PNG"),
        decode="folder",
        tells=True,
        extras={
            kind: (f"{kind}/{{key}}.png", f"{kind}/{{split}}/{{key}}.png")
            for kind in ("confidence", "instances", "depth", "flow")
        },
    ),
    Spec(
        "folder",
        "it holds pictures in no known layout: a plain folder of photographs, unlabelled",
        rf"(?:{_SPLIT}/)?(?P<key>.+){_IMAGE}",
        tells=True,
    ),
)

# Frames of GTA5 whose label has another size than the image; there is no telling which pixels belong together.
GTA5_MISFITS = frozenset({"15188", "17705"})


_THUMBNAILS = ("@eaDir",)  # that a file server keeps in every folder


def list_files(root: Path) -> list[str]:
    """Relative paths of all files below ``root``, with ``/``, sorted; without hidden ones, linked folders followed."""
    found: list[str] = []
    above: dict[str, frozenset[str]] = {}  # real paths of the folders that lead to one
    for folder, folders, files in os.walk(root, followlinks=True, onerror=_unreadable):
        real, parents = os.path.realpath(folder), above.get(os.path.dirname(folder), frozenset())
        if real in parents:  # a link back up
            folders.clear()
            continue
        above[folder] = parents | {real}
        folders[:] = [f for f in folders if not f.startswith(".") and f not in _THUMBNAILS]
        below = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if below == "." else below + "/"
        found += [prefix + name for name in files if not name.startswith(".")]
    return sorted(found)


def _unreadable(error: OSError) -> None:
    """A folder that cannot be listed would be left out without a word."""
    if not str(error.filename).endswith("lost+found"):  # of a disk, for its keeper alone
        raise user_error(error)


@dataclass(frozen=True)
class Match:
    """Frames that one row of the table finds in a folder, with the split of each (None where the layout has none)."""

    spec: Spec
    frames: tuple[tuple[Frame, str | None], ...]
    labelled: int


def match(spec: Spec, root: Path, files: list[str]) -> Match:
    """Group ``files`` into frames as ``spec`` says."""
    free = spec.format == "folder"  # as to capitals
    pattern, spelled = re.compile(spec.image, re.IGNORECASE if free else 0), folded if free else str
    known = {spelled(file): file for file in files} | {file: file for file in files}  # as it is written goes first
    if free and not spec.labels:
        files = _photographs(files, root)
    if spec.format == "cityscapes":
        files = stills(files)
    rows: list[tuple[str, str, str | None, dict[str, Path]]] = []
    for file in files:
        found = pattern.fullmatch(file) if file.lower().endswith(IMAGE_SUFFIXES) else None
        if found is None:
            continue
        parts = {k: v or "" for k, v in found.groupdict().items()}
        parts["weather"] = parts.get("weather", "").replace(".", "_")
        paths = {}
        for kind, templates in (("label", spec.labels), *spec.extras.items()):
            filled = [t.format(**parts) for t in templates]
            existing = next((known[t] for t in (*filled, *map(spelled, filled)) if t in known), None)
            if existing:
                paths[kind] = root / existing
        split = spelled(parts.get("split") or "") or None
        rows.append((file, spec.name.format(**parts), SPLIT_ALIASES.get(split or "", split), paths))
    names = unique_names([(file, name) for file, name, _, _ in rows])
    frames = [(Frame(n, root / file, **paths), split) for n, (file, _, split, paths) in zip(names, rows, strict=True)]
    frames.sort(key=lambda pair: pair[0].name)
    return Match(spec, tuple(frames), sum(f.label is not None for f, _ in frames))


def split_name(said: str) -> str:
    """A split's name in the one spelling: ``Training`` is ``train``; names of one's own stay."""
    low = said.lower()
    return SPLIT_ALIASES.get(low, low if low in SPLIT_ALIASES.values() else said)


def folded(name: str) -> str:
    """A file's name without its capitals, its accents composed: Macs store them taken apart."""
    return unicodedata.normalize("NFC", name).lower()


def stills(files: list[str]) -> list[str]:
    """Without Cityscapes' video frames, and the stills' foggy and rainy versions, where the stills are there too."""
    rest = files
    for other in (r"leftImg8bit_sequence", r"_leftImg8bit_(?:foggy|rain)_"):
        fewer = [file for file in rest if not re.search(other, file)]
        rest = fewer if any("_leftImg8bit" in file for file in fewer) else rest
    return rest


def _photographs(files: list[str], root: Path) -> list[str]:
    """Without data sets that lie in folders below, such as predictions, and what a link shows a second time."""
    sets = {file.rpartition("/")[0] + "/" for file in files if file.endswith("/dataset.yaml")}
    rest = [file for file in files if not any(file.startswith(place) for place in sets)]
    photographs = [file for file in rest if not re.match(NO_PHOTOGRAPH, file, re.IGNORECASE)]
    rest = photographs if any(file.lower().endswith(IMAGE_SUFFIXES) for file in photographs) else rest
    first: dict[str, str] = {}  # real folder -> the name that it was met under
    folders = sorted({file.rpartition("/")[0] for file in rest}, key=lambda f: (os.path.islink(root / f), f))
    seen = {folder for folder in folders if first.setdefault(os.path.realpath(root / folder), folder) == folder}
    rest = [file for file in rest if file.rpartition("/")[0] in seen]
    return rest if any(file.lower().endswith(IMAGE_SUFFIXES) for file in rest) else files


def unique_names(files: list[tuple[str, str]]) -> list[str]:
    """Names safe as file names: as given; those that are not unique from the path, or the path with its suffix."""

    def path_name(file: str) -> str:
        return os.path.splitext(file)[0].replace("/", "__")

    names = [name.replace("/", "__") for _, name in files]
    for other in (path_name, lambda file: file.replace("/", "__").replace(".", "_")):
        counts = Counter(names)
        names = [name if counts[name] == 1 else other(file) for name, (file, _) in zip(names, files, strict=True)]
    counts = Counter(names)
    return [name if counts[name] == 1 else f"{name}_{at}" for at, name in enumerate(names)]


def expected_label(spec_format: str, root: Path, image: Path) -> Path | None:
    """Where the label of ``image`` would be, for the error that it is missing."""
    file = image.relative_to(root).as_posix()
    for spec in SPECS:
        found = re.fullmatch(spec.image, file) if spec.format == spec_format and spec.labels else None
        if found:
            return root / spec.labels[0].format(**{k: v or "" for k, v in found.groupdict().items()})
    return None


def splits_of(matched: Match) -> list[str]:
    """Names of the splits, the largest first."""
    return [name for name, _ in Counter(s for _, s in matched.frames if s).most_common()]
