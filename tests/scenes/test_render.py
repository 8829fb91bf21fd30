"""Renders on disk: readable, the same bytes every time, resumed after any stop."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simteacher.data.check import check
from simteacher.data.geometry import read_depth, read_flow
from simteacher.data.open import open_dataset
from simteacher.errors import UserError
from simteacher.scenes import job as job_module
from simteacher.scenes import layout, like
from simteacher.scenes.capture import Capture
from simteacher.scenes.origin import LOOK
from simteacher.scenes.render import render
from tests.scenes.conftest import SIZE, _build

FEW = {"size": SIZE, "workers": 1, "seed": 3}


def digest(folder: Path) -> dict[str, str]:
    """Content of every file."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.mark.usefixtures("small_street")
class TestSmallStreet:
    """With the small street instead of a generated one."""

    def test_a_folder_set_reads_back(self, tmp_path: Path) -> None:
        """Every kind of truth is there, of one size, and says the same as the frame it was taken from."""
        out = render(tmp_path / "set", frames=2, **FEW)
        data = open_dataset(out)
        assert (data.format, len(data), data.space.name) == ("folder", 2, "cityscapes19")
        job = job_module.Job(str(out), 2, SIZE, 3, None, False, 24, 10.0, "folder")
        (c,) = job_module.captures(job, 1)
        frame = data.frames[1]
        assert np.array_equal(np.asarray(Image.open(frame.label)), c.label_HW)
        assert np.array_equal(np.asarray(Image.open(frame.instances)), c.instance_HW)
        depth = read_depth(frame.depth)
        near = np.isfinite(c.depth_HW)
        assert np.array_equal(near, np.isfinite(depth)) and np.abs(depth[near] - c.depth_HW[near]).max() < 0.0051
        shown = np.asarray(Image.open(frame.image)).astype(int)
        assert np.abs(shown - c.image_HW3).mean() < 4
        boxes = json.loads((out / "boxes.json").read_text())["frames"]
        assert list(boxes) == ["000000", "000001"]
        assert {o["instance"] for o in boxes["000001"]["objects"]} == set(np.unique(c.instance_HW)) - set(range(1000))
        card = json.loads((out / "card.json").read_text())
        counted = sum(card["classes"][k]["share"] for k in card["classes"]) + card["ignored_share"]
        assert counted == pytest.approx(1, abs=1e-4) and card["frames"] == 2

    def test_stopped_and_resumed_gives_the_same_bytes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stopped in the middle of a frame's files, continued, and never stopped: no difference."""
        render(tmp_path / "whole", frames=4, **FEW)
        write, calls = job_module.WRITERS["folder"].write, []

        def stop(out: Path, c: Capture) -> None:
            calls.append(c.name)
            if len(calls) == 3:
                (out / "labels" / f"{c.name}.png").write_bytes(b"half a file")
                raise KeyboardInterrupt
            write(out, c)

        monkeypatch.setattr(job_module.WRITERS["folder"], "write", stop)
        with pytest.raises(KeyboardInterrupt):
            render(tmp_path / "set", frames=4, **FEW)
        monkeypatch.setattr(job_module.WRITERS["folder"], "write", write)
        render(tmp_path / "set", frames=4, **FEW)
        assert calls == ["000000", "000001", "000002"]
        assert digest(tmp_path / "set") == digest(tmp_path / "whole")

    def test_shares_make_the_same_set(self, tmp_path: Path) -> None:
        """Rendered in shares, the later one first, and finished by the plain command."""
        render(tmp_path / "whole", frames=4, **FEW)
        for part, there in (("2/3", [1]), ("1/3", [0, 1, 3]), ("3/3", [0, 1, 2, 3])):
            render(tmp_path / "set", frames=4, part=part, **FEW)
            assert sorted(p.stem for p in (tmp_path / "set/images").iterdir()) == [f"{i:06d}" for i in there]
            assert open_dataset(tmp_path / "set").meta["complete"] is False
        render(tmp_path / "set", frames=4, **FEW)
        (tmp_path / "set/.lock").unlink()
        assert digest(tmp_path / "set") == digest(tmp_path / "whole")

    @pytest.mark.parametrize("part", ["0/2", "3/2", "2", "a/b", "1/"])
    def test_a_share_that_is_none(self, tmp_path: Path, part: str) -> None:
        """The message says the form."""
        with pytest.raises(UserError, match="give K/N"):
            render(tmp_path / "set", frames=4, part=part, **FEW)

    def test_a_set_that_grows_is_not_finished_until_it_is(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Stopped while frames are added, it does not pass for whole; a finished one is not written again."""
        render(tmp_path / "set", frames=1, **FEW)
        before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.yaml")}
        write = job_module.WRITERS["folder"].write
        monkeypatch.setattr(job_module.WRITERS["folder"], "write", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            render(tmp_path / "set", frames=2, **FEW)
        assert open_dataset(tmp_path / "set").meta["complete"] is False
        assert tmp_path / "set/scene.yaml" in before
        assert (tmp_path / "set/scene.yaml").stat().st_mtime_ns == before[tmp_path / "set/scene.yaml"]
        monkeypatch.setattr(job_module.WRITERS["folder"], "write", write)
        render(tmp_path / "set", frames=2, **FEW)
        assert open_dataset(tmp_path / "set").meta["complete"] is True

    def test_more_frames_are_added(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is there is kept and not made again."""
        render(tmp_path / "set", frames=2, **FEW)
        built = []

        def build(seed: int, frame: int, spec: object, size: tuple[int, int]) -> object:
            built.append(frame)
            return _build(seed, frame, spec, size)

        monkeypatch.setattr(job_module, "build_world", build)
        render(tmp_path / "set", frames=3, **FEW)
        assert built == [2] and len(open_dataset(tmp_path / "set")) == 3

    @pytest.mark.parametrize("format", ["folder", "coco"])
    def test_another_seed_is_refused(self, tmp_path: Path, format: str) -> None:
        """A folder holds one render."""
        render(tmp_path / "set", frames=1, format=format, **FEW)
        before = digest(tmp_path / "set")
        with pytest.raises(UserError, match="seed"):
            render(tmp_path / "set", frames=1, format=format, **{**FEW, "seed": 4})
        assert digest(tmp_path / "set") == before

    @pytest.mark.parametrize(("before", "now"), [("folder", "coco"), ("coco", "folder"), ("coco", "kitti")])
    def test_another_format_is_refused(self, tmp_path: Path, before: str, now: str) -> None:
        out = render(tmp_path / "set", frames=1, **FEW, format=before)
        there = digest(out)
        with pytest.raises(UserError, match=f"holds a render in the format {before}, not {now}"):
            render(out, frames=1, **FEW, format=now)
        assert digest(out) == there

    @pytest.mark.parametrize(
        ("scene", "format", "said"),
        [
            ("{fov: 120, distortion: -0.2}", "folder", "a view of 120° bears a distortion of -0.030, not -0.2"),
            ("{fov: 60, distortion: -0.2}", "folder", ""),
            ("{fov: 120}", "folder", ""),
            ("{fov: 60, distortion: -0.2}", "kitti", "kitti has no place for a lens's distortion"),
            ("{fov: 60, distortion: 0}", "kitti", ""),
        ],
    )
    def test_a_lens_that_frames_do_not_have_is_told(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], scene: str, format: str, said: str
    ) -> None:
        (tmp_path / "scene.yaml").write_text(f"camera: {scene}\n")
        render(tmp_path / "set", frames=1, **FEW, scene=tmp_path / "scene.yaml", format=format)
        told = capsys.readouterr().err
        assert said in told and ("a distortion" in told or "s distortion" in told) == bool(said)

    def test_a_full_disk_says_so_and_the_rest_follows(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """ENOSPC in the middle becomes a message; the same command goes on."""
        save = Image.Image.save

        def full(self: Image.Image, path: object, *args: object, **options: object) -> None:
            if "000001" in str(path):
                raise OSError(errno.ENOSPC, "No space left on device")
            save(self, path, *args, **options)

        monkeypatch.setattr(Image.Image, "save", full)
        with pytest.raises(UserError, match="disk is full"):
            render(tmp_path / "set", frames=2, **FEW)
        monkeypatch.undo()
        assert (tmp_path / "set/images/000000.jpg").is_file() and not list(tmp_path.rglob(".part*"))

    def test_a_clip_carries_flow(self, tmp_path: Path) -> None:
        """Forward flow of a frame and backward flow of the next undo each other where both are seen."""
        out = render(tmp_path / "set", frames=3, sequence=True, **FEW)
        data = open_dataset(out)
        assert [f.name for f in data.frames] == ["00000_0000", "00000_0001", "00000_0002"]
        forward = read_flow(data.frames[0].flow)
        backward = read_flow(out / "flow_back" / "00000_0001.png")
        label = np.asarray(Image.open(data.frames[0].label))
        end = np.indices(label.shape)[::-1].transpose(1, 2, 0) + np.nan_to_num(forward)
        x, y = np.rint(end).astype(int).transpose(2, 0, 1)
        inside = np.isfinite(forward[..., 0]) & (x >= 0) & (y >= 0) & (x < SIZE[0]) & (y < SIZE[1]) & (label == 0)
        error = np.abs(backward[y[inside], x[inside]] + forward[inside]).max(1)
        assert np.median(error) < 0.1 and np.abs(forward[inside]).max() > 1

    @pytest.mark.parametrize("format", job_module.WRITERS)
    def test_shares_begin_in_any_format(self, tmp_path: Path, format: str) -> None:
        """Their lock is no file of somebody else."""
        for part in ("1/2", "2/2", None):
            render(tmp_path / "set", frames=2, format=format, part=part, **FEW)
        render(tmp_path / "whole", frames=2, format=format, **FEW)
        assert {k: v for k, v in digest(tmp_path / "set").items() if k != ".lock"} == digest(tmp_path / "whole")

    def test_fewer_frames_than_there_are_would_cut_the_truth(self, tmp_path: Path) -> None:
        """The boxes of the rest would be lost."""
        render(tmp_path / "set", frames=4, **FEW)
        before = digest(tmp_path / "set")
        with pytest.raises(UserError, match=r"(?s)holds 4 frames, more than 2.*--frames 4 or more"):
            render(tmp_path / "set", frames=2, **FEW)
        assert digest(tmp_path / "set") == before

    @pytest.mark.parametrize(
        "lost", ["images/000001.jpg", "labels/000002.png", "depth/000001.png", "instances/000000.png"]
    )
    def test_what_was_lost_is_drawn_again(self, tmp_path: Path, lost: str) -> None:
        """A picture or a part of its truth, by the same command."""
        render(tmp_path / "set", frames=3, **FEW)
        before = digest(tmp_path / "set")
        (tmp_path / "set" / lost).unlink()
        render(tmp_path / "set", frames=3, **FEW)
        assert digest(tmp_path / "set") == before

    @pytest.mark.parametrize(
        ("format", "lost"),
        [
            ("coco", "meta/000001.coco.json"),
            ("cityscapes", "gtFine/train/simteacher/simteacher_000000_000001_gtFine_labelIds.png"),
            ("cityscapes", "camera/train/simteacher/simteacher_000000_000001_camera.json"),
            ("kitti", "object/training/calib/000000.txt"),
            ("kitti", "training/depth_2/000001_10.png"),
        ],
    )
    def test_what_was_lost_of_another_format_too(self, tmp_path: Path, format: str, lost: str) -> None:
        """Whatever a finished frame has."""
        render(tmp_path / "set", frames=2, format=format, **FEW)
        before = digest(tmp_path / "set")
        (tmp_path / "set" / lost).unlink()
        render(tmp_path / "set", frames=2, format=format, **FEW)
        assert digest(tmp_path / "set") == before

    def test_facts_that_cannot_be_read_are_named(self, tmp_path: Path) -> None:
        """Deleted as the message says, they are drawn again."""
        render(tmp_path / "set", frames=2, **FEW)
        before = digest(tmp_path / "set")
        facts = tmp_path / "set/meta/000001.json"
        facts.write_bytes(facts.read_bytes()[:40])
        with pytest.raises(UserError, match=r"000001\.json: this frame's facts cannot be read\n.*delete it"):
            render(tmp_path / "set", frames=2, **FEW)
        facts.unlink()
        render(tmp_path / "set", frames=2, **FEW)
        assert digest(tmp_path / "set") == before

    def test_a_record_that_cannot_be_read_is_named(self, tmp_path: Path) -> None:
        """Of another format than `folder`."""
        render(tmp_path / "set", frames=1, format="coco", **FEW)
        (tmp_path / "set" / "origin.json").write_text("{broken", encoding="utf-8")
        with pytest.raises(UserError, match=r"origin\.json: its record cannot be read"):
            render(tmp_path / "set", frames=1, format="coco", **FEW)

    def test_wrong_settings_are_refused_before_anything_is_written(self, tmp_path: Path) -> None:
        """Nothing is left behind."""
        for wrong in ({"frames": 0}, {"frames": 1, "format": "cocoo"}, {"frames": 1, "size": (8, 8)}):
            with pytest.raises(UserError):
                render(tmp_path / "set", **{**FEW, **wrong})
        assert not (tmp_path / "set").exists()


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Three frames of generated streets by one worker."""
    yield render(tmp_path_factory.mktemp("real") / "one", frames=3, **FEW)


def test_a_scene_file_beside_the_estimate_has_to_be_the_one_it_was_made_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a folder with photographs is refused before anything is estimated."""
    monkeypatch.setattr(like, "PROBES", 2)
    monkeypatch.setattr(layout, "WORLDS", 3)
    target, scene = tmp_path / "photos", tmp_path / "mine.yaml"
    target.mkdir()
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(target / "a.png")
    scene.write_text("labels: exact\n", encoding="utf-8")
    with pytest.raises(UserError, match="holds other files"):
        render(target, frames=1, like=str(target), **FEW)
    assert [p.name for p in target.iterdir()] == ["a.png"]
    own = tmp_path / "own"
    own.mkdir()
    (own / "dataset.yaml").write_text("version: 1\n", encoding="utf-8")
    with pytest.raises(UserError, match="holds a data set that is no render"):
        render(own, frames=1, like=str(target), **FEW)
    assert [p.name for p in own.iterdir()] == ["dataset.yaml"]
    for _ in range(2):
        render(tmp_path / "set", frames=1, like=str(target), scene=scene, **FEW)
    scene.write_text("labels: filled\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"its frames are not of .*mine\.yaml"):
        render(tmp_path / "set", frames=1, like=str(target), scene=scene, **FEW)
    with pytest.raises(UserError, match=r"gone\.yaml"):
        render(tmp_path / "set", frames=1, like=str(target), scene=tmp_path / "gone.yaml", **FEW)


def test_a_scene_stays_what_it_was_when_its_frames_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file, the meshes it names, and what it is like."""
    scene, mesh = tmp_path / "s.yaml", tmp_path / "box.obj"
    corners = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\n"
    mesh.write_text(corners + "f 1 2 3\nf 1 2 4\nf 1 3 4\nf 2 3 4\n")
    scene.write_text("meshes: [{file: box.obj, name: car, ahead: 6}]\n", encoding="utf-8")
    render(tmp_path / "set", frames=1, scene=scene, **FEW)
    job = job_module.Job("", 1, SIZE, 3, str(scene), False, 24, 10.0, "folder", job_module.text_hash(scene))
    assert len(list(job_module.captures(job, 0))) == 1
    with pytest.raises(UserError, match=r"its frames are of a scene file and not like photos"):
        render(tmp_path / "set", frames=2, like="photos", **FEW)
    mesh.write_text(corners.replace("1", "2") + "f 1 2 3\nf 1 2 4\nf 1 3 4\nf 2 3 4\n")
    with pytest.raises(UserError, match=r"holds another data set \(meshes was"):
        render(tmp_path / "set", frames=2, scene=scene, **FEW)
    scene.write_text("{}\n", encoding="utf-8")
    with pytest.raises(UserError, match="this scene file changed while its frames were drawn"):
        list(job_module.captures(job, 0))


def test_clips_as_kitti_are_a_set_without_problems(tmp_path: Path) -> None:
    """The second picture of a flow pair has no labels, in the benchmark neither."""
    (tmp_path / "s.yaml").write_text("clip: {frames: 2}\n", encoding="utf-8")
    for _ in range(2):
        out = render(tmp_path / "k", frames=4, sequence=True, format="kitti", scene=tmp_path / "s.yaml", **FEW)
    assert not [p.name for p in out.rglob("*") if p.name.startswith(".part")]
    assert check(out)["problems"] == [] and check(out)["labelled"] == 4
    assert len(list(out.glob("training/image_2/*_11.png"))) == 2


@pytest.mark.slow
def test_two_workers_write_the_same_bytes(real: Path, tmp_path: Path) -> None:
    """The seed alone decides, not who renders."""
    render(tmp_path / "two", frames=3, **{**FEW, "workers": 2})
    assert digest(tmp_path / "two") == digest(real)


@pytest.mark.parametrize("format", ["folder", "coco"])
def test_frames_of_an_older_simulator_are_not_mixed_with_new_ones(tmp_path: Path, format: str) -> None:
    """What is there is worth keeping: the message says who can finish it."""
    out = render(tmp_path / "set", frames=1, size=SIZE, workers=1, format=format)
    record = out / ("dataset.yaml" if format == "folder" else "origin.json")
    text = record.read_text()
    record.write_text(text.replace(f"look: {LOOK}", "look: 1").replace(f'"look": {LOOK}', '"look": 1'))
    with pytest.raises(UserError, match=f"of look 1 of the simulator, and this version draws look {LOOK}"):
        render(out, frames=2, size=SIZE, workers=1, format=format)
