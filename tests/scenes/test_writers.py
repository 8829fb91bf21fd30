"""Written sets read back by other people's readers."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from simteacher import rle
from simteacher.data.open import open_dataset
from simteacher.errors import UserError
from simteacher.inputs import training_split
from simteacher.scenes import job as job_module
from simteacher.scenes.capture import Capture
from simteacher.scenes.motion import HIDDEN, VISIBLE
from simteacher.scenes.optics import Optics
from simteacher.scenes.render import render
from simteacher.scenes.spec import SceneSpec
from simteacher.scenes.world import build_world as whole_world
from tests.scenes.conftest import SIZE

pytestmark = pytest.mark.usefixtures("small_street")


def made(tmp_path: Path, format: str, frames: int = 2, sequence: bool = False) -> tuple[Path, list[Capture]]:
    """A set on disk and the frames that went into it."""
    out = render(tmp_path / "set", frames=frames, size=SIZE, seed=1, workers=1, format=format, sequence=sequence)
    job = job_module.Job(str(out), frames, SIZE, 1, None, sequence, 24, 10.0, format)
    return out, [c for unit in range(job.units()) for c in job_module.captures(job, unit)]


def png(path: Path) -> npt.NDArray[np.int64]:
    """An independent decoder of unfiltered and filtered PNG files, 8 or 16 bits, from the PNG specification."""
    data = path.read_bytes()
    at, body = 8, b""
    while at < len(data):
        (size,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[at + 8 : at + 18])
        if kind == b"IDAT":
            body += data[at + 8 : at + 8 + size]
        at += 12 + size
    step = {0: 1, 2: 3, 3: 1, 6: 4}[colour] * depth // 8
    raw = np.frombuffer(zlib.decompress(body), np.uint8).reshape(height, 1 + width * step).astype(int)
    out = np.zeros((height, width * step), int)
    for i in range(height):
        above = out[i - 1] if i else np.zeros(width * step, int)
        for j in range(width * step):
            a, b, c = (out[i, j - step], above[j], above[j - step]) if j >= step else (0, above[j], 0)
            p = [abs(b - c), abs(a - c), abs(a + b - 2 * c)]
            paeth = a if p[0] <= p[1] and p[0] <= p[2] else b if p[1] <= p[2] else c
            out[i, j] = (raw[i, j + 1] + (0, a, b, (a + b) // 2, paeth)[raw[i, 0]]) % 256
    if depth == 16:
        out = out[:, ::2] * 256 + out[:, 1::2]
    return out.reshape(height, width, -1).squeeze()


def test_coco_reads_the_masks(tmp_path: Path) -> None:
    """Pycocotools decodes every mask to the instance image, and its areas and boxes are those of the mask."""
    from pycocotools import mask as tool
    from pycocotools.coco import COCO

    out, frames = made(tmp_path, "coco")
    coco = COCO(str(out / "annotations/instances.json"))
    assert {c["name"] for c in coco.loadCats(coco.getCatIds())} >= {"person", "car", "bicycle"}
    for c, image in zip(frames, coco.loadImgs(coco.getImgIds()), strict=True):
        annotations = coco.loadAnns(coco.getAnnIds(image["id"]))
        assert len(annotations) == len([i for i in np.unique(c.instance_HW) if i >= 1000])
        for a in annotations:
            mask = coco.annToMask(a).astype(bool)
            (instance,) = set(c.instance_HW[mask].tolist())
            assert np.array_equal(mask, c.instance_HW == instance)
            assert a["area"] == tool.area(a["segmentation"]) and a["category_id"] == instance // 1000
            assert a["bbox"] == tool.toBbox(a["segmentation"]).tolist()
        assert Image.open(out / "images" / image["file_name"]).size == SIZE


@pytest.mark.parametrize("fill", [0.0, 0.02, 0.5, 1.0])
def test_run_lengths_equal_pycocotools(fill: float) -> None:
    """Letter for letter, for empty, sparse, noisy and full masks."""
    from pycocotools import mask as tool

    mask = np.random.default_rng(0).random((37, 53)) < fill
    assert rle.compress(rle.runs(mask)) == tool.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()


def test_cityscapes_tools_read_it(tmp_path: Path) -> None:
    """Cityscapesscripts finds the instances, its label table maps labelIds to trainIds, and we open it again."""
    from cityscapesscripts.evaluation.instances2dict import instances2dict
    from cityscapesscripts.helpers.labels import id2label

    out, frames = made(tmp_path, "cityscapes")
    fine = out / "gtFine/train/simteacher"
    for c in frames:
        stem = f"simteacher_000000_{int(c.name):06d}_gtFine"
        ids = np.asarray(Image.open(fine / f"{stem}_labelIds.png"))
        train = np.asarray(Image.open(fine / f"{stem}_labelTrainIds.png"))
        table = np.array([id2label[i].trainId & 255 for i in range(34)])
        assert np.array_equal(table[ids], train) and np.array_equal(train, c.label_HW)
        (found,) = instances2dict([str(fine / f"{stem}_instanceIds.png")], verbose=False).values()
        listed = {o["instID"]: o["pixelCount"] for objects in found.values() for o in objects if o["instID"] >= 1000}
        values, counts = np.unique(c.instance_HW, return_counts=True)
        assert listed == {v: n for v, n in zip(values.tolist(), counts.tolist(), strict=True) if v >= 1000}
        camera = json.loads((out / "camera/train/simteacher" / stem.replace("gtFine", "camera.json")).read_text())
        assert camera["extrinsic"]["z"] == pytest.approx(1.5) and camera["extrinsic"]["pitch"] == pytest.approx(0.06)
        assert camera["extrinsic"]["yaw"] == pytest.approx(0.05)
    data = open_dataset(out)
    assert (data.format, len(data)) == ("cityscapes", 2)


def test_kitti_decodes_by_its_own_rules(tmp_path: Path) -> None:
    """Depth, flow and boxes by the formulas of the development kits, without our reader."""
    out, frames = made(tmp_path, "kitti", frames=3, sequence=True)
    at = out / "training"
    for i, c in enumerate(frames[:2]):
        stored = png(at / "depth_2" / f"{i:06d}_10.png")
        near = np.isfinite(c.depth_HW) & (c.depth_HW < 255)
        assert np.abs(stored[near] / 256 - c.depth_HW[near]).max() < 0.002 and not stored[np.isinf(c.depth_HW)].any()
        flow, state = c.flow
        occ, noc = png(at / "flow_occ" / f"{i:06d}_10.png"), png(at / "flow_noc" / f"{i:06d}_10.png")
        valid = occ[..., 2] == 1
        assert np.array_equal(valid, np.isin(state, (VISIBLE, HIDDEN)))
        assert np.array_equal(noc[..., 2] == 1, state == VISIBLE)
        assert np.abs((occ[..., :2][valid] - 2**15) / 64 - flow[valid]).max() < 0.01
        assert np.array_equal(
            np.asarray(Image.open(at / f"image_2/{i:06d}_11.png")), png(at / f"image_2/{i + 1:06d}_10.png")
        )
        assert np.array_equal(png(at / f"instance/{i:06d}_10.png") // 256, png(at / f"semantic/{i:06d}_10.png"))
    assert not (at / "flow_occ/000002_10.png").exists()  # the clip's last frame has no next one
    c, lines = frames[0], (out / "object/training/label_2/000000.txt").read_text().splitlines()
    assert len(lines) == len(c.meta["objects"])
    calib = dict(
        line.split(": ") for line in (out / "object/training/calib/000000.txt").read_text().splitlines() if line
    )
    p2 = np.array(calib["P2"].split(), float).reshape(3, 4)
    car = next(line.split() for line in lines if line.startswith("Car"))
    h, w, length, x, y, z, turn = map(float, car[8:])
    corner = np.array([[a * length / 2, b, e * w / 2, 1] for a in (-1, 1) for b in (0, -h) for e in (-1, 1)])
    rotation = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    corner[:, :3] = corner[:, :3] @ rotation.T + [x, y, z]
    image = corner @ p2.T
    xy = image[:, :2] / image[:, 2:]
    low, high = np.clip(xy.min(0), 0, None), np.minimum(xy.max(0), np.array(SIZE) - 1)
    assert np.abs(np.array(car[4:8], float) - [*low, *high]).max() < 1.0  # the camera is pitched, KITTI's boxes are not
    data = open_dataset(out)
    assert data.format == "kitti" and sum(f.label is not None and f.label.is_file() for f in data.frames) == 3


def test_intrinsics_are_those_of_the_rays(tmp_path: Path) -> None:
    """The stored matrix projects a ray of the optics onto its pixel."""
    _, (c, _) = made(tmp_path, "folder")
    k = np.array(c.meta["camera"]["intrinsics"])
    ray = Optics(SIZE, k[0, 0]).rays(np.array([[10.0, 20.0]]))[0]
    assert (k @ ray)[:2] == pytest.approx([10, 20])


def test_a_clip_that_grows_gets_the_flow_that_it_lacked(tmp_path: Path) -> None:
    out, _ = made(tmp_path, "kitti", frames=2, sequence=True)
    render(out, frames=4, size=SIZE, seed=1, workers=1, format="kitti", sequence=True)
    at_once = render(tmp_path / "whole", frames=4, size=SIZE, seed=1, workers=1, format="kitti", sequence=True)
    flows = [sorted(p.relative_to(o) for p in o.glob("training/flow_*/*")) for o in (out, at_once)]
    assert flows[0] == flows[1] and len(flows[0]) == 6
    for path in flows[0]:
        assert (out / path).read_bytes() == (at_once / path).read_bytes()


def test_rectified_layouts_have_no_lens(tmp_path: Path) -> None:
    drawn = [whole_world(1, i, SceneSpec(), SIZE).camera.k1 for i in range(6)]
    assert any(drawn)
    for format, flat in (("folder", False), ("kitti", True), ("cityscapes", True)):
        job = job_module.Job(str(tmp_path), 6, SIZE, 1, None, False, 24, 10.0, format)
        seen: list[float] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(job_module, "build_world", lambda *a, to=seen, **k: to.append(whole_world(*a, **k).camera.k1))
            patch.setattr(job_module, "draw", lambda *_: None)
            patch.setattr(job_module, "capture", lambda *_: None)
            for unit in range(6):
                list(job_module.captures(job, unit))
        assert not any(seen) if flat else seen == drawn


def test_clips_become_videos(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    out = render(tmp_path / "clips", frames=5, size=SIZE, seed=1, workers=1, sequence=True, video=True)
    with av.open(str(out / "videos" / "00000.mp4")) as file:
        shown = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        assert float(file.streams.video[0].average_rate) == 10
    assert len(shown) == 5
    for i, frame in enumerate(shown):
        with Image.open(out / "images" / f"00000_{i:04d}.jpg") as picture:
            assert np.abs(frame.astype(int) - np.asarray(picture)).mean() < 6
    with pytest.raises(UserError, match="single frames make no video"):
        render(tmp_path / "frames", frames=1, size=SIZE, video=True)


@pytest.mark.parametrize("format", ["cityscapes", "kitti"])
def test_other_layouts_say_too_whether_they_are_finished(tmp_path: Path, format: str) -> None:
    """And one that is not is no source."""
    render(tmp_path / "set", frames=2, format=format, part="1/2", size=SIZE, workers=1, seed=3)
    with pytest.raises(UserError, match="this set is not finished"):
        training_split(str(tmp_path / "set"), None)
    render(tmp_path / "set", frames=2, format=format, size=SIZE, workers=1, seed=3)
    assert len(training_split(str(tmp_path / "set"), None)) == 2
