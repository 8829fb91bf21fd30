"""Prediction: what is written, what is skipped, what is refused, and videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from simteacher.data import open_dataset, read_confidence, read_label
from simteacher.encode import VideoWriter
from simteacher.errors import UserError
from simteacher.labels import SPACES, LabelSpace
from simteacher.overlay import legend, overlay
from simteacher.predict import find_inputs, predict, predict_image
from tests.stub_model import SPACE, StubModel, blocks, stub_loaded


def photographs(folder: Path, count: int = 3) -> Path:
    """A folder of pictures, ``p0.png`` and so on."""
    folder.mkdir(parents=True)
    for n in range(count):
        Image.fromarray(blocks(n)[0]).save(folder / f"p{n}.png")
    return folder


def test_a_folder_becomes_a_data_set(tmp_path: Path) -> None:
    source = photographs(tmp_path / "photos")
    out = predict(stub_loaded(tmp_path), source, tmp_path / "out", views=1)
    dataset = open_dataset(out)
    assert dataset.format == "folder" and [f.name for f in dataset.frames] == ["p0", "p1", "p2"]
    for n, frame in enumerate(dataset.frames):
        np.testing.assert_array_equal(read_label(dataset, frame, SPACE), blocks(n)[1])
        assert read_confidence(frame).min() > 250
        assert frame.image.read_bytes() == (source / f"p{n}.png").read_bytes(), "the photograph is unchanged"
        with Image.open(out / "labels" / f"p{n}.png") as label:
            assert label.mode == "P" and label.getpalette()[:9] == [c for rgb in SPACE.colors for c in rgb]  # type: ignore[index]
    assert sorted(p.name for p in (out / "overlays").iterdir()) == ["p0.jpg", "p1.jpg", "p2.jpg"]


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    source, model = photographs(tmp_path / "photos"), stub_loaded(tmp_path)
    out = predict(model, source, tmp_path / "out")
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.png")}
    (out / "overlays" / "p1.jpg").unlink()
    predict(model, source, out)
    again = {p.name for p in before if p.stat().st_mtime_ns != before[p]}
    assert again == {"p1.png"}
    model.path.write_bytes(b"other weights")
    with pytest.raises(UserError, match="holds another data set"):
        predict(model, source, out)


def test_one_name_for_two_folders_is_two_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = stub_loaded(tmp_path)
    for at in ("a", "b"):
        photographs(tmp_path / at / "photos", 1 + (at == "b"))
    monkeypatch.chdir(tmp_path / "a")
    predict(model, "photos", tmp_path / "out", views=1)
    predict(model, str(tmp_path / "a" / "photos"), tmp_path / "out", views=1)  # the same one, spelt otherwise
    predict(model, "../a/photos/", tmp_path / "out", views=1)
    monkeypatch.chdir(tmp_path / "b")
    with pytest.raises(UserError, match="holds another data set"):
        predict(model, "photos", tmp_path / "out", views=1)
    assert len(open_dataset(tmp_path / "out")) == 1


def test_any_size_and_orientation(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    image, label = blocks(1, height=200, width=90)
    turned = Image.fromarray(image).rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    turned.save(tmp_path / "photos" / "phone.png", exif=exif)
    dataset = open_dataset(predict(stub_loaded(tmp_path), tmp_path / "photos" / "phone.png", tmp_path / "out"))
    seen = read_label(dataset, dataset.frames[0], SPACE)
    assert seen.shape == (200, 90) and (seen == label).mean() > 0.9  # borders move when scaled to 48 pixels


def test_inputs(tmp_path: Path) -> None:
    photographs(tmp_path / "a")
    photographs(tmp_path / "b")
    names = lambda given: [f.name for f in find_inputs(given)[0]]  # noqa: E731
    assert names(tmp_path / "a" / "p1.png") == ["p1"]
    assert names(str(tmp_path / "a" / "*1.png")) == ["p1"]
    assert names(str(tmp_path / "*" / "p1.png")) == ["a__p1", "b__p1"], "names that repeat tell their folder"
    for place in ("x/c/d", "x/c_d", "x/c__d"):
        photographs(tmp_path / place, 1)
    assert len(set(names(str(tmp_path / "x" / "**" / "p0.png")))) == 3
    with pytest.raises(UserError, match="the input is empty"):
        find_inputs("")
    (tmp_path / "a" / "film.MP4").touch()
    assert find_inputs(tmp_path / "a")[1] == [tmp_path / "a" / "film.MP4"]
    (tmp_path / "a" / "below").mkdir()
    (tmp_path / "a" / "below" / "p1.png").write_bytes((tmp_path / "a" / "p1.png").read_bytes())
    (tmp_path / "a" / "below" / "q.png").write_bytes((tmp_path / "a" / "p1.png").read_bytes())
    assert names(tmp_path / "a") == ["below__p1", "below__q", "p0", "p1", "p2"], "as check and adapt see the folder"
    with pytest.raises(UserError, match="no file matches"):
        find_inputs(str(tmp_path / "*.webp"))
    with pytest.raises(UserError, match="no such file"):
        find_inputs(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty"):
        find_inputs(tmp_path / "empty")


def test_a_data_set_is_read_without_its_labels(tmp_path: Path) -> None:
    first = predict(stub_loaded(tmp_path), photographs(tmp_path / "photos"), tmp_path / "first")
    again = open_dataset(predict(stub_loaded(tmp_path), first, tmp_path / "again"))
    assert [f.name for f in again.frames] == ["p0", "p1", "p2"]


def test_truncated_photographs_are_named_when_all_others_are_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = photographs(tmp_path / "photos", 4)
    (source / "p0.png").write_bytes((source / "p0.png").read_bytes()[:90])
    with pytest.raises(UserError, match=r"p0\.png: [^;]*$"):
        predict(stub_loaded(tmp_path), source, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out" / "labels").iterdir()) == ["p1.png", "p2.png", "p3.png"]
    (source / "p3.png").write_bytes(b"")
    (source / "clip.mp4").write_bytes(b"no video")
    (source / "phone.heic").write_bytes(b"")
    with pytest.raises(UserError, match=r"p0\.png: .*nor can 2 others be read: p3\.png, clip\.mp4"):
        predict(stub_loaded(tmp_path), source, tmp_path / "out")
    assert "not read: 1 .heic file, such as" in capsys.readouterr().err
    for name in ("p0.png", "p3.png", "clip.mp4"):
        (source / name).unlink()
    assert len(open_dataset(predict(stub_loaded(tmp_path), source, tmp_path / "out"))) == 2


def test_an_array_of_another_kind_is_refused() -> None:
    with pytest.raises(UserError, match="uint8 RGB"):
        predict_image(StubModel(), np.zeros((4, 4), np.float32))


def test_overlay_paints_known_classes_only() -> None:
    image, label = np.full((4, 4, 3), 100, np.uint8), np.full((4, 4), 255, np.uint8)
    label[0] = 1
    painted = np.asarray(overlay(image, label, SPACE))
    assert (painted[1:] == 100).all() and painted[0, 0, 0] > 140 and painted[0, 0, 1] < 60


def test_the_legend_has_a_row_of_its_colour_for_each_class() -> None:
    picture = np.asarray(legend(SPACES["camvid11"]))
    assert len(picture) == 11 * 28 + 16
    for at, colour in enumerate(SPACES["camvid11"].colors):
        assert tuple(picture[8 + 28 * at + 14, 20]) == colour
        text = picture[8 + 28 * at : 8 + 28 * (at + 1), 44:]
        assert (text < 128).any() and (text == 255).any(), "the name is written beside it"


def test_the_legend_shows_letters_of_other_alphabets() -> None:
    """Pillow's own font draws one and the same box for each; a system without a font that knows them may, too."""
    try:
        ImageFont.truetype("DejaVuSans.ttf", 16)
    except OSError:
        pytest.skip("no such font here")
    drawn = [np.asarray(legend(LabelSpace("one", (name,), ((1, 2, 3),)))) for name in ("éé", "łł", "öö")]
    assert len({d.tobytes() for d in drawn}) == 3


def test_a_video_gives_a_video_and_a_data_set(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="pip install 'simteacher[video]'")
    frames = [blocks(n)[0] for n in range(6)]
    with av.open(str(tmp_path / "drive.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=12)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 64, 48, "yuv420p", 4_000_000
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    model = stub_loaded(tmp_path)
    out = predict(model, tmp_path / "drive.mp4", tmp_path / "out")
    dataset = open_dataset(out)
    assert [f.name for f in dataset.frames] == [f"drive_{n:06d}" for n in range(6)]
    for n, frame in enumerate(dataset.frames):
        assert (read_label(dataset, frame, SPACE) == blocks(n)[1]).mean() > 0.9  # the codec blurs borders
    with av.open(str(out / "overlays" / "drive.mp4")) as painted:
        assert painted.streams.video[0].average_rate == 12
        assert sum(1 for _ in painted.decode(video=0)) == 6
    predict(model, tmp_path / "drive.mp4", tmp_path / "only.mp4")
    assert (tmp_path / "only.mp4").stat().st_size > 0
    before = (out / "labels" / "drive_000003.png").stat().st_mtime_ns
    predict(model, tmp_path / "drive.mp4", out)
    assert (out / "labels" / "drive_000003.png").stat().st_mtime_ns == before
    assert open_dataset(out).meta["complete"] and len(open_dataset(out)) == 6
    (tmp_path / "broken.mp4").write_bytes(b"no video at all")
    with pytest.raises(UserError, match="cannot be decoded"):
        predict(model, tmp_path / "broken.mp4", tmp_path / "broken")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(UserError, match="the file is empty"):
        predict(model, tmp_path / "empty.mp4", tmp_path / "empty")


def test_a_webm_is_written_in_its_own_codec_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    av = pytest.importorskip("av")
    writer = VideoWriter(tmp_path / "a.webm", (64, 48), 5)
    for n in range(3):
        writer.add(blocks(n)[0])
    writer.close()
    with av.open(str(tmp_path / "a.webm")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 3 and video.streams.video[0].codec.name.startswith("vp")
    monkeypatch.setattr("simteacher.encode._WEBM", ("no-such-codec",))
    with pytest.raises(UserError, match=r"write an \.mp4"):
        VideoWriter(tmp_path / "b.webm", (64, 48), 5)
    assert not (tmp_path / "b.webm").exists()


def test_two_videos_of_one_name_and_a_name_with_a_dot(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="pip install 'simteacher[video]'")
    from simteacher.encode import VideoWriter

    (tmp_path / "in").mkdir()
    for suffix, count in ((".mp4", 2), (".mkv", 3)):
        out = VideoWriter(tmp_path / "in" / f"clip[1]{suffix}", (64, 48), 10)
        for n in range(count):
            out.add(blocks(n, height=48, width=64)[0])
        out.close()
    model = stub_loaded(tmp_path)
    for _ in range(2):
        read = predict(model, tmp_path / "in", tmp_path / "out", views=1)
        assert sorted(p.name for p in (read / "overlays").glob("*")) == ["clip[1]_mkv.mp4", "clip[1]_mp4.mp4"]
        assert len(open_dataset(read)) == 5
    Image.fromarray(blocks(1)[0]).save(tmp_path / ".photo.png")
    assert [f.name for f in open_dataset(predict(model, tmp_path / ".photo.png", tmp_path / "dot")).frames] == ["photo"]
