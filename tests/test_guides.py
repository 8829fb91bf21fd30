"""The guides of docs/ are walked: their blocks are run in order, their trees opened, their messages looked up."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simteacher.data.open import open_dataset
from tests.conftest import ROOT
from tests.lookalikes.streets import save
from tests.walk import Walk


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Walk:
    return Walk(tmp_path, monkeypatch)


@pytest.mark.slow
def test_from_a_simulator_to_a_model_to_a_few_labels(walk: Walk, capsys: pytest.CaptureFixture[str]) -> None:
    walk.page("docs/own-simulator.md")
    assert walk.ran == ["check", "check", "adapt", "report", "predict"]
    shown = capsys.readouterr().out
    assert "nothing says which classes the labels hold" in shown
    assert "ignored, as told: Billboard" in shown
    read = open_dataset("runs/first-read")
    assert len(read) == 8
    assert read.space is not None and read.space.name == "street7"
    assert Path("runs/first/report.html").is_file()

    Path("street7.yaml").write_text(
        Path("street7.yaml").read_text(encoding="utf-8").replace("Asphalt: road", "Asfalt: road"), encoding="utf-8"
    )
    walk.line("simteacher check blocktown --classes street7.yaml  # exit code 1")
    assert "Asphalt" in capsys.readouterr().out  # the nearest name, as the page says
    Path("street7.yaml").write_text(
        Path("street7.yaml").read_text(encoding="utf-8").replace("Asfalt: road", "Asphalt: road"), encoding="utf-8"
    )

    for folder, names in (("train", range(6)), ("val", range(6, 8))):
        for i in names:
            save(Path(f"my/photographs/{folder}/IMG_{i:04}.png"), np.asarray(Image.open(f"photographs/IMG_{i:04}.png")))
    shutil.copy("photographs/IMG_0000.png", "my/photographs/a.jpg")
    Path("runs/mine").symlink_to("first")
    Path("runs/streets").symlink_to("../blocktown")
    Path("my/measured").symlink_to("../blocktown")
    walk.ran.clear()
    walk.page("docs/own-photographs.md", skip="render|adapt|drive.mp4|export|quick")
    assert walk.ran == ["check", "report", "predict", "evaluate"]
    assert capsys.readouterr().out.count("road") >= 1

    Path("my/photographs/a.jpg").unlink()  # it is a photograph of no split
    walk.ran.clear()
    correct = {"--back": lambda: shutil.copy("runs/to-correct/annotations.zip", "runs/to-correct/corrected.zip")}
    walk.page("docs/few-labels.md", skip="experiment", before=correct)
    assert walk.ran == ["select", "label", "handover", "handover", "adapt", "adapt", "adapt", "evaluate", "evaluate"]
    chosen = Path("selection/names.txt").read_text(encoding="utf-8").split()
    assert sorted(chosen) == sorted(Path("runs/corrected/labelled.txt").read_text(encoding="utf-8").split())
    assert Path("runs/better/model.json").is_file() and Path("runs/supervised/model.json").is_file()


def trees() -> list[tuple[str, list[str]]]:
    """(format, files) of each tree of formats.md."""
    text = (ROOT / "docs/formats.md").read_text(encoding="utf-8")
    found = []
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        format = {"Any folder of pictures": "folder"}.get(title := part.splitlines()[0], title)
        for tree in re.findall(r"^```text\n(.*?)^```", part, flags=re.MULTILINE | re.DOTALL):
            found.append((format, tree.split()))
    return found


@pytest.mark.parametrize(("format", "files"), trees(), ids=lambda v: v if isinstance(v, str) else v[0])
def test_trees_are_recognised_and_every_file_of_them_is_used(format: str, files: list[str], tmp_path: Path) -> None:
    for file in files:
        if file.endswith((".yaml", ".txt")):
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
        else:
            save(tmp_path / file, np.zeros((2, 2), np.uint8))
    dataset = open_dataset(tmp_path)
    assert dataset.format == format
    kinds = ("image", "label", "confidence", "instances", "depth", "flow")
    used = {str(path.relative_to(tmp_path)) for f in dataset.frames for kind in kinds if (path := getattr(f, kind))}
    assert used == {file for file in files if not file.endswith((".yaml", ".txt"))}


def test_every_format_has_its_tree() -> None:
    from simteacher.data.open import FORMATS

    assert {format for format, _ in trees()} == set(FORMATS)


def messages() -> list[str]:
    text = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    return re.findall(r"^### `(.*)`$", text, flags=re.MULTILINE)


def test_messages_explained_are_messages_given() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    joined = re.sub(r'"\s*f?"', "", source)
    for _ in range(3):  # placeholders may hold others
        joined = re.sub(r"\{[^{}]*\}", "…", joined)
    joined = re.sub(r"…( …)+", "…", joined)
    assert len(messages()) > 20
    assert [message for message in messages() if message not in joined] == []
