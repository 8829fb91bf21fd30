"""README.md and the pages about photographs, the shipped teacher, translation, the simulator and formats are walked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import simteacher
from simteacher.data.open import open_dataset
from tests import lookalikes
from tests.lookalikes.streets import photo, save
from tests.walk import Walk

SIZE = (96, 64)


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Walk:
    """With photographs, and a labelled set of the same classes, under the names that pages give to theirs."""
    monkeypatch.setattr("simteacher.scenes.layout.WORLDS", 12)  # `--like` looks at 240, a minute long
    walk = Walk(tmp_path, monkeypatch)
    rng = np.random.default_rng(0)
    for i in range(3):  # street takes seconds for each
        save(Path(f"my/photographs/{'val' if i % 3 == 2 else 'train'}/IMG_{i}.jpg"), photo(rng, SIZE))
    for path in ("my/photographs/a.jpg", "my/other/photographs/b.png", "photo.jpg"):
        save(Path(path), photo(rng, SIZE))
    lookalikes.folder(Path("my/measured"), size=SIZE)
    lookalikes.camvid(Path("data/camvid"), 12, SIZE)
    lookalikes.gta5(Path("data/gta5"), size=SIZE)
    return walk


def drive(path: Path) -> None:
    """A video of three frames."""
    av = pytest.importorskip("av", reason="pip install 'simteacher[video]'")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=12)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for i in range(3):
            picture = photo(np.random.default_rng(i), SIZE)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


@pytest.mark.slow
def test_readme_then_own_photographs_then_the_teacher_that_ships(walk: Walk) -> None:
    walk.page("README.md", skip="^make|^git|^pip|activate")
    assert walk.ran == ["check", "render", "adapt", "report", "predict"]
    assert len(open_dataset("runs/read")) == 1 and Path("runs/mine/report.html").is_file()

    drive(Path("drive.mp4"))
    walk.ran.clear()
    walk.page("docs/own-photographs.md")
    assert walk.ran == [*("check", "render", "check", "adapt", "report"), *["predict"] * 2, *["export"] * 2, "evaluate"]
    assert all(Path(name).is_file() for name in ("drive-read.mp4", "street.onnx", "street-int8.onnx"))

    walk.ran.clear()
    walk.page("docs/guides/teacher.md", skip="render|pack|varied|adapt teacher")
    assert walk.ran == ["predict", "predict", "label", "evaluate", "adapt"]
    assert open_dataset("runs/predict/photo").space == simteacher.load("street").card.space


@pytest.mark.slow
def test_simulator_formats_translation_and_an_experiment(walk: Walk) -> None:
    Path("night.yaml").write_text("light: {time: night}\n", encoding="utf-8")
    walk.page("docs/simulator.md")
    walk.page("docs/formats.md")
    assert walk.ran == ["render"] * 3 + ["check"] * 3

    walk.ran.clear()
    walk.line("simteacher adapt quick --source runs/streets --target camvid:data/camvid --out runs/quick")
    walk.page("docs/guides/translate.md")
    assert walk.ran == ["adapt", "translate", "adapt", *["translate"] * 4]
    assert len(open_dataset("runs/streets-fda")) == 3

    Path("DATA").symlink_to("data/camvid")
    walk.ran.clear()
    walk.page("docs/experiments.md", skip="tools/chosen_labels|MyNet")
    assert walk.ran == ["experiment"]
