"""The report of made-up runs: what it tells, what it survives, and how it behaves in a browser."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from simteacher.errors import UserError
from simteacher.report import report
from simteacher.report_data import read_run
from simteacher.report_pictures import BUDGET, picture_miou
from simteacher.report_plots import nice_ticks, smooth
from tests.fake_run import make_run

CHROMIUM = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: on Debian, apt install chromium")


def text_of(page: Path) -> str:
    """What a reader sees: tags, style, script and pictures taken away."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"<(style|script)\b.*?</\1>", " ", text, flags=re.S)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text)))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "street", rounds=3, samples=2)


def test_a_finished_run_is_told(finished: Path) -> None:
    text = text_of(report(finished))
    scores = {
        e["stage"]: e
        for e in map(json.loads, (finished / "metrics.jsonl").read_text().splitlines())
        if e["event"] == "eval"
    }
    before, after = (100 * scores[s]["miou"] for s in ("teacher", "round-2"))
    assert f"mean IoU rose from {before:.1f} to {after:.1f} % (+{after - before:.1f} points)" in text
    assert "500 synthetic images" in text and "367 photographs" in text
    assert "refused round 3 (tree fell to 12 % of its share before)" in text
    assert f"{100 * scores['round-2']['iou']['car']:.1f}" in text, "class by class"
    assert "refused by the guard" in text and "kept by the guard" in text
    assert "stand-in" not in text
    assert "simteacher adapt quick" in text and "a1b2c3d4e5f60718" in text


def test_the_page_is_one_file_that_asks_for_nothing(finished: Path) -> None:
    text = report(finished).read_text(encoding="utf-8")
    assert not re.findall(r"https?://", text)
    text = re.sub(r"<script>.*?</script>", "", text, flags=re.S)
    assert not [
        u
        for u in re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)""", text)
        if not u.startswith(("data:", "#"))
    ]
    assert "default-src 'none'" in text


def test_only_the_run_folder_is_read_and_torch_is_not_imported(finished: Path) -> None:
    code = f"import sys, simteacher; simteacher.report({str(finished)!r}); sys.exit('torch' in sys.modules)"
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    assert subprocess.run([sys.executable, "-c", code], cwd=finished.parent, env=env).returncode == 0


def test_it_says_what_the_network_started_from(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert "It started from" not in text_of(report(run))
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump({**config, "network": {"weights": "street"}}))
    assert "started from “street”, the network that comes with the tool" in text_of(report(run))


def test_labelled_photographs_are_counted_where_there_are_some(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    plain = text_of(report(run))
    assert "synthetic images alone" in plain and "nobody had labelled" in plain
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump({**config, "labelled": 37}))
    facts = json.loads((run / "provenance.json").read_text())
    facts["images"] = {"source": 2000, "target": 367, "labelled": 37}
    (run / "provenance.json").write_text(json.dumps(facts))
    told = text_of(report(run))
    assert (
        "from the simulator, and from 37 labelled photographs" in told
        and "367 photographs, 37 of them labelled" in told
    )
    assert "alone" not in told.split("See the difference")[0] and "nobody had labelled" not in told
    facts["images"]["labelled"] = 367
    (run / "provenance.json").write_text(json.dumps(facts))
    told = text_of(report(run))
    assert "367 photographs, all of them labelled." in told and "a student learned from these labels." in told
    assert "itself" not in told.split("See the difference")[0]


def test_of_many_photographs_the_labelled_ones_are_counted(tmp_path: Path) -> None:
    run = make_run(tmp_path, rounds=1)
    log = run / "metrics.jsonl"
    assert "of the target's pixels labelled" in text_of(report(run))
    log.write_text(log.read_text().replace('"event": "pseudo"', '"event": "pseudo", "photographs": 250'))
    told = text_of(report(run))
    assert "the model labelled 250 of them itself, kept the surest pixels (60 %)" in told
    assert "60 % of the pixels of 250 photographs labelled" in told and "the target's pixels" not in told


def test_one_model_is_not_compared_with_itself(tmp_path: Path) -> None:
    run = make_run(tmp_path, rounds=0)
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump({**config, "source": None, "labelled": "all"}))
    told = text_of(report(run))
    assert "See what it reads" in told and "Drag the line" not in told and "best of each row" not in told
    assert "Teacher" not in told


def test_it_says_what_students_learned_from_and_what_they_keep(tmp_path: Path) -> None:
    run = make_run(tmp_path, rounds=1)
    text = text_of(report(run))
    assert "kept the surest pixels (60 %)" in text and "of the weights of its teacher" not in text
    config = yaml.safe_load((run / "config.yaml").read_text())
    log = run / "metrics.jsonl"
    log.write_text(log.read_text().replace('"coverage": 0.6', '"coverage": 1.0'))
    for start, told in (("teacher", True), ("scratch", False)):
        config["rounds"] = {"count": 1, "keep": 0.4, "start": start}
        (run / "config.yaml").write_text(yaml.safe_dump(config))
        text = text_of(report(run))
        assert "used every pixel, weighed by its confidence" in text
        assert ("keeps 40 % of the weights of its teacher" in text) == told


def test_an_unfinished_run_says_where_it_stands(tmp_path: Path) -> None:
    text = text_of(report(make_run(tmp_path / "run", finished=False, rounds=1, samples=1)))
    assert "not finished" in text and "It stands at step 150 of round 1" in text


def test_a_stand_in_is_called_one(tmp_path: Path) -> None:
    text = text_of(report(make_run(tmp_path / "run", stand_in=True, samples=1)))
    assert "The target here is a stand-in, not photographs." in text
    assert "points on stand-in pictures" in text and "points on photographs" not in text


def test_without_evaluation_there_is_no_score(tmp_path: Path) -> None:
    text = text_of(report(make_run(tmp_path / "run", evals=False, samples=1)))
    assert "there is no score here" in text and "Class by class" not in text and "mIoU" not in text


def test_parts_may_be_missing(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", samples=1)
    for gone in ("provenance.json", "model.json", "config.yaml"):
        (run / gone).unlink()
    shutil.rmtree(run / "round-1" / "samples")
    (run / "teacher" / "samples" / "street_0.jpg").write_bytes(b"\xff\xd8 damaged")
    assert "mean IoU" in text_of(report(run))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "metrics.jsonl").write_text("")
    assert report(tmp_path / "empty").is_file()


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    run = make_run(tmp_path / "<b>run", samples=1)
    (run / "config.yaml").write_text("source: '<script>alert(1)</script>'\n")
    with open(run / "metrics.jsonl", "a") as log:
        log.write(
            json.dumps({"event": "guard", "stage": "round-2", "verdict": "revert", "reasons": ["<img src=x>"]}) + "\n"
        )
        log.write(
            json.dumps({"event": "step", "stage": "round-2", "step": 400, "loss": 1.0, "losses": {"<i>": 1, "b": 2}})
            + "\n"
        )
    text = report(run).read_text(encoding="utf-8")
    assert "<script>alert" not in text and "<img src=x>" not in text and "<i>" not in re.sub(r"<i></i>", "", text)


def test_pictures_stop_where_the_page_would_grow_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert BUDGET < 7_000_000, "leaves a megabyte of 8 for the rest of the page"
    monkeypatch.setattr("simteacher.report_pictures.BUDGET", 400_000)
    run = make_run(tmp_path / "run", rounds=1, samples=0)
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    for n in range(9):
        for stage in ("teacher", "round-1"):
            Image.fromarray(noise).save(run / stage / "samples" / f"{n:02}.jpg", quality=90)
            Image.fromarray(noise[..., 0] // 24).convert("P").save(run / stage / "samples" / f"{n:02}.png")
    page = report(run).read_text(encoding="utf-8")
    assert 2 <= page.count('class="photo"') < 9 and len(page) < 480_000


def test_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such run folder"):
        report(tmp_path / "nowhere")
    with pytest.raises(UserError, match="not a run"):
        report(tmp_path)
    (tmp_path / "config.yaml").write_text("a: [")
    with pytest.raises(UserError, match="the recipe of a run cannot be read"):
        report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_repeated_step_counts_once(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text(
        "\n".join(
            json.dumps({"event": "step", "stage": "teacher", "step": s, "loss": x})
            for s, x in [(1, 9.0), (2, 8.0), (2, 7.0)]
        )
        + '\n{"event": "step", "stage": "tea'
    )
    assert [e["loss"] for e in read_run(tmp_path).stages[0].steps] == [9.0, 7.0]


def test_picture_miou_by_hand() -> None:
    label = np.array([[0, 0, 1, 255]], np.uint8)
    assert picture_miou(np.array([[0, 1, 1, 7]], np.uint8), label) == pytest.approx((1 / 2 + 1 / 2) / 2)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.037), (0, 9.7), (3, 3), (0, 31234), (-2, 5)])
def test_ticks_are_round_and_cover_the_range(low: float, high: float) -> None:
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low and ticks[-1] >= high and 2 <= len(ticks) <= 8
    assert len({round(b - a, 9) for a, b in pairwise(ticks)}) == 1


def test_smoothing_keeps_ends_and_lines() -> None:
    line = [(float(x), 2.0 * x) for x in range(100)]
    np.testing.assert_allclose(smooth(line), line)


PROBE = """<script>
const $ = (q) => document.querySelector(q), out = {};
const divide = $(".divide"); divide.focus();
out.focused = document.activeElement === divide;
divide.value = 20; divide.dispatchEvent(new Event("input"));
out.at = $(".views").style.getPropertyValue("--at");
out.spoken = divide.getAttribute("aria-valuetext");
out.left = $(".tag.left").textContent; out.right = $(".tag.right").textContent;
document.querySelectorAll(".thumbs button")[1].click();
out.shown = $(".view:not([hidden])").dataset.name;
$(".show-truth").click(); out.truth = $(".tag.right").textContent;
out.unreachable = [...document.querySelectorAll("button, select, input, summary")].filter((e) => e.tabIndex < 0).length;
const named = (e) => e.getAttribute("aria-label") || e.alt;
out.unnamed = [...document.querySelectorAll("input, img:not(.thumbs img)")].filter((e) => !named(e)).length;
addEventListener("load", () => setTimeout(() => {
  const box = $(".views").getBoundingClientRect(), move = (x, y) => new PointerEvent("pointermove",
    {clientX: box.left + box.width * x, clientY: box.top + box.height * y});
  divide.dispatchEvent(move(0.5, 0.02));
  out.readout = $(".readout").textContent;
  out.overflow = document.documentElement.scrollWidth - innerWidth;
  out.images = [...document.images].filter((i) => !i.naturalWidth && !i.closest("[hidden]")).length;
  document.title = JSON.stringify(out);
}, 300));
</script></body>"""


def in_a_browser(run: Path, script: str, tmp_path: Path) -> dict[str, object]:
    """What a script that runs at the end of the page writes into its title as JSON."""
    page = tmp_path / "probe.html"
    page.write_text(report(run).read_text(encoding="utf-8").replace("</body>", script), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}",
             "--window-size=1280,900", "--virtual-time-budget=4000", "--dump-dom"]  # fmt: skip
    done = subprocess.run([str(CHROMIUM), *flags, page.as_uri()], capture_output=True, text=True, timeout=120)
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.S)
    assert title is not None
    found: dict[str, object] = json.loads(html.unescape(title.group(1)))
    return found


@pytest.mark.slow
@needs_chromium
def test_in_a_browser(finished: Path, tmp_path: Path) -> None:
    """The slider moves, is spoken and reachable by keyboard; photographs and truth can be chosen; nothing overflows."""
    out: dict[str, Any] = in_a_browser(finished, PROBE, tmp_path)
    assert out == {
        "focused": True,
        "at": "20%",
        "spoken": "20 % Teacher, the rest Round 2",
        "left": "Teacher",
        "right": "Round 2",
        "shown": "street_1",
        "truth": "True labels",
        "unreachable": 0,
        "unnamed": 0,
        "readout": out["readout"],
        "overflow": out["overflow"],
        "images": 0,
    }
    assert out["overflow"] <= 0, "wider than the window"
    assert "Teacher: sky" in out["readout"] and "Truth: sky" in out["readout"]


UNLABELLED = """<script>
const $ = (q) => document.querySelector(q), at = (n) => document.querySelectorAll(".thumbs button")[n].click();
const say = () => [$(".tag.right").textContent, $(".show-truth").disabled, $(".show-truth").title,
  $(".show-truth").getAttribute("aria-pressed"), $(".view:not([hidden]) .on-right").className];
const out = {};
$(".show-truth").click(); out.labelled = say(); at(1); out.not = say(); at(0); out.again = say();
document.title = JSON.stringify(out);
</script></body>"""


@pytest.mark.slow
@needs_chromium
def test_a_photograph_without_labels_shows_no_truth(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", rounds=1, samples=2)
    for stage in ("teacher", "round-1"):
        (run / stage / "samples" / "street_1_label.png").unlink()
    truth = ["True labels", False, "", "true", "truth on-right"]
    none = ["Round 1", True, "Nobody has labelled this photograph", "false", "mask on-right"]
    assert in_a_browser(run, UNLABELLED, tmp_path) == {"labelled": truth, "not": none, "again": truth}
