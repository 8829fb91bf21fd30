"""Long commands killed with SIGKILL, again and again, end with the files of a command that nothing disturbed.

The work runs in a forked process that kills itself when it is about to give a file its final name: as hard as
``kill -9`` from outside, at moments that can be counted. The tests of `adapt` and `render`
kill from outside.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from simteacher.experiment import experiment
from simteacher.export import export
from simteacher.handover import handover
from simteacher.models.store import Model, ModelCard, load, save_model
from simteacher.predict import predict
from simteacher.progress import set_quiet
from simteacher.pseudo import label
from simteacher.select import select
from simteacher.translate.run import translate
from tests import lookalikes, tiny
from tests.stub_model import blocks, stub_loaded

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs fork and SIGKILL")
Work = Callable[[Path], object]


def killed(work: Callable[[], object], allowed: int) -> bool:
    """Do the work in a process that dies in place of naming one file more than ``allowed``; whether it died."""

    def child() -> None:
        left, replace = allowed, os.replace

        def counted(source: Any, target: Any, **how: Any) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            replace(source, target, **how)

        os.replace = counted  # type: ignore[assignment]
        set_quiet(True)
        work()

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(120)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def content(folder: Path) -> dict[str, bytes]:
    """All files of a folder but locks, and logs, which hold wall times."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.name not in (".lock", "metrics.jsonl"))
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def survives(work: Work, folder: Path, moments: tuple[int, ...] = (0, 1, 2, 4)) -> dict[str, bytes]:
    """Kill at each moment, the next process going on with what is there; compare with undisturbed work."""
    work(folder / "undisturbed")
    wanted = content(folder / "undisturbed")
    assert wanted
    died = [killed(lambda: work(folder / "again"), allowed) for allowed in moments]
    assert died[0], "the first kill was before any file had its name"
    work(folder / "again")
    assert content(folder / "again") == wanted
    return wanted


@pytest.fixture
def photographs(tmp_path: Path) -> str:
    """Five pictures."""
    (tmp_path / "photos").mkdir()
    for n in range(5):
        Image.fromarray(blocks(n)[0]).save(tmp_path / f"photos/p{n}.png")
    return str(tmp_path / "photos")


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """A model that needs no training, under any name."""
    loaded = stub_loaded(tmp_path)
    monkeypatch.setattr("simteacher.models.store.load", lambda _: loaded)
    return loaded


def test_predict(photographs: str, model: Model, tmp_path: Path) -> None:
    written = survives(lambda out: predict(model, photographs, out), tmp_path, (0, 1, 3, 6, 2))
    assert len([name for name in written if name.startswith("labels/")]) == 5


@pytest.mark.parametrize("into", ["a data set", "a video"])
def test_predict_a_video(into: str, model: Model, tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="pip install 'simteacher[video]'")
    with av.open(str(tmp_path / "drive.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=12)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for n in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(blocks(n)[0], format="rgb24")))
        container.mux(stream.encode())
    name = "" if into == "a data set" else "painted.mp4"
    moments = (0, 3, 8, 9) if into == "a data set" else (0, 0)

    def work(out: Path) -> None:
        # PyAV 19 keeps a converter of frames for each thread, and that has threads of its own: a forked process would
        # have the converter without them and wait for ever
        with ThreadPoolExecutor(1) as fresh:
            fresh.submit(predict, model, tmp_path / "drive.mp4", out / name).result()

    survives(work, tmp_path, moments)


def test_label_and_its_shares(photographs: str, model: Model, tmp_path: Path) -> None:
    whole = survives(lambda out: label("any", photographs, out, portion=0.5), tmp_path, (0, 1, 2, 4, 9))
    shared = tmp_path / "shared"
    for part, allowed in (("1/2", 0), ("2/2", 0), ("1/2", 1), ("2/2", 2), ("1/2", 9), ("2/2", 9)):
        killed(lambda part=part: label("any", photographs, shared, portion=0.5, part=part), allowed)  # type: ignore[misc]
    label("any", photographs, shared, portion=0.5)
    assert content(shared) == whole


def test_select(photographs: str, model: Model, tmp_path: Path) -> None:
    survives(lambda out: select(model, photographs, budget=2, out=out), tmp_path, (0, 1))


@pytest.mark.parametrize("format", ["cvat", "coco"])
def test_handover_and_back(format: Any, photographs: str, model: Model, tmp_path: Path) -> None:
    label("any", photographs, tmp_path / "draft")
    (tmp_path / "there").mkdir()
    survives(lambda out: handover(tmp_path / "draft", out, format=format), tmp_path / "there")
    there = tmp_path / "there" / "undisturbed"
    file = there / {"cvat": "annotations.zip", "coco": "annotations.json"}[format]
    survives(lambda out: handover(file, out, format=format, back=True), tmp_path)


@pytest.mark.parametrize("method", ["fda", pytest.param("cut", marks=pytest.mark.slow)])
def test_translate(method: Any, tmp_path: Path) -> None:
    source, target = lookalikes.gta5(tmp_path / "gta5", 4), lookalikes.camvid(tmp_path / "camvid", 4)
    small = {} if method == "fda" else {"steps": 3, "crop": 32, "height": 48, "channels": 4, "blocks": 1}
    survives(lambda out: translate(source.spec, target.spec, out, method, **small), tmp_path, (0, 1, 2, 5))


@pytest.mark.slow
def test_export(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="pip install 'simteacher[onnx]'")
    network = tiny.network()
    save_model(tmp_path / "model", network, ModelCard(tiny.NETWORK, tiny.SPACE, (64, 48)))
    for n in range(3):
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(blocks(n)[0]).save(tmp_path / f"photos/p{n}.png")

    def work(out: Path) -> object:
        return export(load(tmp_path / "model"), out / "m.onnx", data=tmp_path / "photos", int8=True)

    survives(work, tmp_path, (0, 1))


@pytest.mark.slow
def test_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in teachers, in rows and between them; wall times differ, weights and scores do not."""
    monkeypatch.setattr(import_module("simteacher.experiments.estimate"), "measure", lambda *_: 0.01)
    made = lookalikes.camvid(tmp_path / "photos")
    recipe = tiny.recipe(tmp_path / "r.yaml", lookalikes.gta5(tmp_path / "gta5", 4).spec, made.spec)
    given = {"eval": made.spec, "eval_split": "val", "seeds": 1, "rows": "source only; rounds: mean, balanced"}

    def work(folder: str) -> None:
        (tmp_path / folder).mkdir(exist_ok=True)
        os.chdir(tmp_path / folder)  # model cards name the teacher's folder
        experiment("methods", recipe, out="out", **given)  # type: ignore[arg-type]

    def facts(folder: str) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
        root = tmp_path / folder / "out"
        weights = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("model.safetensors")}
        lines = [json.loads(line) for line in (root / "rows.jsonl").read_text().splitlines()]
        told = ("row", "seed", "stage", "miou", "iou", "reverted")
        return weights, [{key: line[key] for key in told} for line in lines]

    monkeypatch.chdir(tmp_path)  # restored afterwards
    work("undisturbed")
    died = [killed(lambda: work("again"), allowed) for allowed in (3, 17, 30)]
    work("again")
    assert sum(died) >= 2
    assert facts("again") == facts("undisturbed")
