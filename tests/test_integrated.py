"""Models in somebody's daily use: files that change, videos beside photographs, paths as people write them."""

from __future__ import annotations

import os
import shutil
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import simteacher
from simteacher import rle
from simteacher.data import FolderWriter, open_dataset, read_label
from simteacher.data.statistics import fingerprint
from simteacher.errors import UserError
from simteacher.evaluate import evaluate
from simteacher.labels import SPACES, LabelSpace, load_space
from simteacher.models.store import ModelCard, load
from simteacher.predict import predict
from simteacher.shipped import arguments
from simteacher.video import read_frames
from tests.stub_model import SPACE, blocks, stub_loaded


def picture(path: Path, n: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(blocks(n)[0]).save(path)
    return path


def seen(out: Path) -> dict[str, np.ndarray]:
    """The labels of a set, by name."""
    data = open_dataset(out)
    return {f.name: read_label(data, f, SPACE) for f in data.frames}


def film(path: Path, numbers: list[int], times: list[int] | None = None, codec: str = "libx264") -> Path:
    """A video of the blocks of these numbers, 10 a second, or at these milliseconds."""
    av = pytest.importorskip("av", reason="pip install 'simteacher[video]'")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height = blocks(0)[0].shape[1::-1]
        stream.pix_fmt = "yuv420p"
        if times:
            stream.codec_context.time_base = Fraction(1, 1000)
        for k, n in enumerate(numbers):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(blocks(n)[0]), format="rgb24")
            if times:
                frame.pts, frame.time_base = times[k], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_a_photograph_that_changed_is_read_again(tmp_path: Path) -> None:
    """Others are not; also when it changed in place, under the link in the set."""
    model = stub_loaded(tmp_path)
    for name, n in (("a", 1), ("b", 2)):
        picture(tmp_path / f"photos/{name}.png", n)
    out = predict(model, tmp_path / "photos", tmp_path / "out", views=1)
    kept = (out / "labels/b.png").stat().st_mtime_ns
    picture(tmp_path / "photos/a.png", 5)
    os.utime(tmp_path / "photos/a.png", (1, 1))
    predict(model, tmp_path / "photos", out, views=1)
    assert (seen(out)["a"] == blocks(5)[1]).all() and (seen(out)["b"] == blocks(2)[1]).all()
    assert (out / "labels/b.png").stat().st_mtime_ns == kept
    assert (out / "images/a.png").read_bytes() == (tmp_path / "photos/a.png").read_bytes()


def test_a_live_photograph_is_two_inputs(tmp_path: Path) -> None:
    """A picture and a video of one name; nothing is read again where nothing has changed, nor others' files removed."""
    model = stub_loaded(tmp_path)
    picture(tmp_path / "p/IMG_1.png", 3)
    picture(tmp_path / "p/IMG_1.b.png", 4)
    film(tmp_path / "p/IMG_1.mov", [0, 1])
    out = predict(model, tmp_path / "p", tmp_path / "out", views=1)
    before = {f: f.stat().st_mtime_ns for f in out.rglob("*") if f.parent.name in ("labels", "overlays")}
    predict(model, tmp_path / "p", out, views=1)
    assert before == {f: f.stat().st_mtime_ns for f in before}
    picture(tmp_path / "p/IMG_1.png", 5)
    os.utime(tmp_path / "p/IMG_1.png", (1, 1))
    predict(model, tmp_path / "p", out, views=1)
    assert (out / "overlays/IMG_1.mp4").is_file() and (seen(out)["IMG_1"] == blocks(5)[1]).all()
    assert [f.name for f in before if f.stat().st_mtime_ns != before[f]] == ["IMG_1.png", "IMG_1.jpg"] or {
        f.name for f in before if f.stat().st_mtime_ns != before[f]
    } == {"IMG_1.png", "IMG_1.jpg"}


def test_a_video_that_grew_is_read_again(tmp_path: Path) -> None:
    model, source = stub_loaded(tmp_path), tmp_path / "v" / "cam.mp4"
    source.parent.mkdir()
    film(source, [0, 1, 2])
    out = predict(model, source.parent, tmp_path / "out", views=1)
    assert len(open_dataset(out)) == 3
    film(source, [0, 1, 2, 3, 4])
    predict(model, source.parent, out, views=1)
    assert len(open_dataset(out)) == 5
    assert sum(1 for _ in read_frames(out / "overlays/cam.mp4")) == 5


def test_a_video_beside_pictures_called_like_its_frames(tmp_path: Path) -> None:
    model = stub_loaded(tmp_path)
    for k in range(2):
        picture(tmp_path / f"mix/d_{k:06d}.png", 7 + k)
    film(tmp_path / "mix/d.mp4", [0, 1])
    out = predict(model, tmp_path / "mix", tmp_path / "out", views=1)
    assert sorted(seen(out)) == ["d_000000", "d_000001", "d_mp4_000000", "d_mp4_000001"]
    assert (out / "overlays/d_mp4.mp4").is_file()


def test_a_video_does_not_take_the_place_of_itself(tmp_path: Path) -> None:
    source = film(tmp_path / "v.mp4", [0, 1])
    before = source.read_bytes()
    with pytest.raises(UserError, match="take the place of its source"):
        predict(stub_loaded(tmp_path), source, source)
    assert source.read_bytes() == before


def test_frames_keep_their_times(tmp_path: Path) -> None:
    """Of a camera that does not keep a steady rate."""
    times = [0, 5, 10, 500, 1000]
    source = film(tmp_path / "v.mkv", [0, 1, 2, 3, 4], times)
    target = tmp_path / "painted.mp4"
    predict(stub_loaded(tmp_path), source, target, views=1)
    shown = [round(1000 * float(shot.pts * shot.time_base)) for shot in read_frames(target)]
    assert shown == pytest.approx(times, abs=1)


def test_a_video_that_is_cut_off_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = film(tmp_path / "whole.mkv", list(range(40)))
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    for path, told in ((whole, False), (cut, True)):
        predict(stub_loaded(tmp_path), path, tmp_path / f"{path.stem}.mp4", views=1)
        assert ("seems to be cut off" in capsys.readouterr().err) == told


def test_one_pixel_high(tmp_path: Path) -> None:
    from simteacher.encode import VideoWriter

    pytest.importorskip("av", reason="pip install 'simteacher[video]'")
    out = VideoWriter(tmp_path / "thin.mp4", (64, 1), 10)
    out.add(np.full((1, 64, 3), 200, np.uint8))
    out.close()
    (shot,) = read_frames(tmp_path / "thin.mp4")
    assert shot.image_HWC.shape == (2, 64, 3)


def test_small_pictures_are_not_read_all_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are enlarged to what the network has learned, which takes the memory."""
    sizes: list[int] = []
    read = sys.modules["simteacher.predict"].read_images

    def counted(model: object, images: list[np.ndarray], **more: object) -> object:
        sizes.append(len(images))
        return read(model, images, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(sys.modules["simteacher.predict"], "read_images", counted)
    monkeypatch.setattr(sys.modules["simteacher.predict"], "BATCH_PIXELS", 64 * 48 * 3)
    for k in range(8):
        path = tmp_path / f"photos/{k}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (16, 12), (250, 250, 250)).save(path)
    predict(stub_loaded(tmp_path), tmp_path / "photos", tmp_path / "out", views=1)
    assert sum(sizes) == 8 and max(sizes) <= 3


@pytest.mark.parametrize("spelled", ["photos/", "./photos", ".//photos//"])
def test_one_folder_in_other_spellings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelled: str) -> None:
    monkeypatch.chdir(tmp_path)
    model = stub_loaded(tmp_path)
    picture(tmp_path / "photos/a.png", 1)
    for said in ("photos", spelled):
        predict(model, said, "out", views=1)
        simteacher.label(model, said, "labelled")
    assert arguments("predict", model, spelled, None)[2] == Path("runs/predict/photos")


def test_home_is_written_as_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    picture(tmp_path / "photos/a.png", 1)
    assert predict(stub_loaded(tmp_path), "~/photos", "~/out", views=1) == tmp_path / "out"
    with pytest.raises(UserError, match=str(tmp_path / "none")):
        load("~/none")


def test_a_folder_called_street_is_not_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Renders may well be called so; a model in it would go first."""
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "street/images/a.png", 1)
    assert arguments("predict", "street", "street", "out")[:2] == ("street", "street")
    with pytest.raises(UserError, match=r"(?s)is no model.*simteacher predict street photos OUT"):
        picture(tmp_path / "photos/a.png", 1)
        arguments("predict", "photos", "photos", "out")


def test_what_is_not_measured_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crane = LabelSpace("harbour", ("dark", "crane"), ((0, 0, 0), (9, 9, 9)), {})
    with FolderWriter(tmp_path / "set", crane, {}) as writer:
        image = blocks(0)[0]
        label = np.ones(image.shape[:2], np.uint8)
        label[:10] = 0
        writer.add("a", image, label=label)
    evaluate(stub_loaded(tmp_path), tmp_path / "set", views=1)
    assert "not measured, as three has no such class: crane" in capsys.readouterr().err


def test_sets_and_spaces_that_are_open_already(tmp_path: Path) -> None:
    picture(tmp_path / "photos/a.png", 1)
    data = open_dataset(tmp_path / "photos")
    assert open_dataset(data) is data and load_space(SPACE) is SPACE
    assert simteacher.label(stub_loaded(tmp_path), data, tmp_path / "labelled")["coverage"] == 1
    with pytest.raises(UserError, match="a list is no data set"):
        open_dataset(["a.png"])  # type: ignore[arg-type]
    with pytest.raises(UserError, match="has its split already"):
        open_dataset(data, "val")


@pytest.mark.parametrize("image", [np.zeros((4, 5)), np.zeros((4, 5, 4), np.uint8), np.zeros((4, 5, 3)), "a.png"])
def test_what_is_no_photograph(tmp_path: Path, image: object) -> None:
    with pytest.raises(UserError, match="an image is uint8 RGB"):
        stub_loaded(tmp_path).predict(image)


@pytest.mark.parametrize(
    "change", [{"size": [0, 0]}, {"size": [480]}, {"size": "480x360"}, {"network": None}, {"views": None}]
)
def test_a_card_that_was_edited_is_named(change: dict[str, object]) -> None:
    import json

    card = {**json.loads(ModelCard({}, SPACES["camvid11"], (480, 360)).to_json()), **change}
    with pytest.raises(UserError, match=r"model\.json: not a model card"):
        ModelCard.from_json(json.dumps(card), "model.json")
    for broken in ({"colors": card["space"]["colors"][1:]}, {"classes": ["road"] * 11}):
        card["space"] = {**card["space"], **broken}
        with pytest.raises(UserError, match=r"model\.json: not a model card"):
            ModelCard.from_json(json.dumps({**card, "size": [48, 36], "network": {}, "views": 1}), "model.json")


def test_a_box_is_no_mask() -> None:
    with pytest.raises(ValueError, match="a box without a mask"):
        rle.mask_of([], 4, 5)


def test_an_uncompressed_photograph_that_changed_has_another_fingerprint(tmp_path: Path) -> None:
    """Its size stays, whatever it shows."""
    path = tmp_path / "photos/x.bmp"
    path.parent.mkdir()
    prints = []
    for n in range(2):
        Image.fromarray(blocks(n)[0]).save(path)
        prints.append((path.stat().st_size, fingerprint(open_dataset(tmp_path / "photos"))))
    shutil.copy(path, tmp_path / "x.bmp")
    assert prints[0][0] == prints[1][0] and prints[0][1] != prints[1][1]
