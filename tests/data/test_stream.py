"""Streams: a batch depends on seed and step alone, processes share it, labels follow images, nothing more is read."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from simteacher.config import Augment
from simteacher.data import stream as module
from simteacher.data.open import open_dataset
from simteacher.data.sample import DataSet
from simteacher.data.statistics import class_counts
from simteacher.data.stream import Batch, Cache, Stream, _share_of_255, loaders, prefetch
from simteacher.dense import working_size
from simteacher.errors import UserError
from tests import lookalikes
from tests.tiny import BUDGET, PLAIN, SPACE, source


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return source(tmp_path_factory.mktemp("stream"))


def _stream(dataset: DataSet, seed: int = 1, count: int = 4, augment: Augment | None = None, **more: Any) -> Stream:
    space = None if dataset.frames[0].label is None else SPACE
    return Stream("source", dataset, space, BUDGET, augment or Augment(), seed, count, **more)


def _equal(a: Batch, b: Batch) -> bool:
    tensors = ("image_BCHW", "plain_BCHW", "label_BHW", "weight_BHW")
    return a.names == b.names and all(torch.equal(getattr(a, t), getattr(b, t)) for t in tensors)


def test_a_batch_is_a_function_of_seed_and_step(dataset: DataSet) -> None:
    first = _stream(dataset)
    forwards = [first.batch(s) for s in range(4)]
    again = _stream(dataset, cache=Cache(1.0))  # and neither of the order of calls nor of the cache
    for step in (3, 0, 2, 1, 1):
        assert _equal(again.batch(step), forwards[step])
    assert not _equal(forwards[0], forwards[1])
    assert not _equal(_stream(dataset, seed=2).batch(0), forwards[0])


def test_seen_twice_a_view_differs_in_colour_alone(dataset: DataSet) -> None:
    once, twice = _stream(dataset).batch(3), _stream(dataset, twice=True, inside=True).batch(3)
    assert _equal(once, twice) and once.second_BCHW is None and once.inside_BHW is None
    assert twice.second_BCHW is not None and not torch.equal(twice.second_BCHW, twice.image_BCHW)
    small = _stream(dataset, augment=PLAIN.model_copy(update={"scale": (0.4, 0.4)}), twice=True, inside=True).batch(3)
    assert small.inside_BHW is not None and small.second_BCHW is not None
    outside = (small.plain_BCHW == 128 / 255).all(1)  # the filling's grey
    assert torch.equal(outside, ~small.inside_BHW) and 0.2 < outside.float().mean() < 0.9
    assert torch.equal(small.second_BCHW, small.image_BCHW), "without changes of colour both are the plain view"


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (600, 800), (64, 48), (333, 251)])
def test_photographs_are_learned_as_large_as_they_are_read(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.fromarray(np.zeros((*size[::-1], 3), np.uint8)).save(tmp_path / "a.png")
    image, _ = _stream(open_dataset(tmp_path)).load(0)
    assert image.shape[:2] == working_size(size[1], size[0], BUDGET.size)


@pytest.mark.parametrize("processes", [2, 3, 4])
def test_shares_of_processes_make_the_whole(dataset: DataSet, processes: int) -> None:
    whole = _stream(dataset).batch(5)
    parts = [_stream(dataset, part=(rank, processes)).batch(5) for rank in range(processes)]
    assert sorted(n for p in parts for n in p.names) == sorted(whole.names)
    for rank, part in enumerate(parts):
        assert torch.equal(part.image_BCHW, whole.image_BCHW[rank::processes])
        assert torch.equal(part.label_BHW, whole.label_BHW[rank::processes])


@pytest.mark.parametrize(("count", "processes"), [(0, 1), (1, 2)])
def test_a_process_without_images_is_the_users_to_mend(dataset: DataSet, count: int, processes: int) -> None:
    with pytest.raises(UserError, match="the batch leaves") as caught:
        _stream(dataset, count=count, part=(0, processes))
    assert caught.value.where == "budget.batch"


def test_shapes_types_and_ranges(dataset: DataSet) -> None:
    made = _stream(dataset).batch(0)
    assert made.image_BCHW.shape == made.plain_BCHW.shape == (4, 3, 32, 64)
    assert made.label_BHW.shape == made.weight_BHW.shape == (4, 32, 64) and made.label_BHW.dtype == torch.int64
    assert made.image_BCHW.min() >= 0 and 0.3 < made.image_BCHW.max() <= 1
    assert set(made.label_BHW.unique().tolist()) <= {*range(11), 255} and (made.weight_BHW == 1).all()
    assert made.image_BCHW.is_contiguous(memory_format=torch.channels_last)


def test_labels_lie_on_their_images(tmp_path: Path) -> None:
    """A set in which the red channel is the label: what is cut, flipped and scaled must still agree."""
    root = tmp_path / "set"
    made = lookalikes.camvid(root, 4)
    dataset = open_dataset(made.spec, "train")
    for frame in dataset.frames:
        names = made.truth[frame.name]
        index = np.full(names.shape, 255, np.uint8)
        for i, name in enumerate(SPACE.classes):
            index[names == name] = i
        coarse = index[::4, ::4].repeat(4, 0).repeat(4, 1)
        red = np.stack([np.where(coarse == 255, 250, coarse * 20), coarse * 0, coarse * 0], 2).astype(np.uint8)
        assert frame.label is not None
        Image.fromarray(np.where(coarse == 255, 11, coarse).astype(np.uint8)).save(frame.label)
        frame.image.unlink()
        Image.fromarray(red).save(frame.image.with_suffix(".png"))
    geometry = PLAIN.model_copy(update={"scale": (0.8, 2.5), "flip": 0.5})
    made_stream = _stream(open_dataset(made.spec, "train"), augment=geometry)
    for step in range(4):
        b = made_stream.batch(step)
        red, label = (b.plain_BCHW[:, 0] * 255).round(), b.label_BHW
        known = label != 255
        agree = (red[known] - label[known] * 20).abs() <= 1
        assert known.float().mean() > 0.3 and agree.float().mean() > 0.6, "beyond what interpolated edges explain"
        torch.testing.assert_close(b.image_BCHW, b.plain_BCHW)


def test_unlabelled_sets_open_no_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = open_dataset(lookalikes.camvid(tmp_path / "camvid").spec, "train").unlabelled()

    def never(*_: object) -> Any:
        raise AssertionError("a label was opened")

    monkeypatch.setattr(module, "read_label", never)
    monkeypatch.setattr(module, "read_confidence", never)
    b = _stream(dataset).batch(0)
    assert (b.label_BHW == 255).all() and len(b.names) == 4


def test_pseudo_labels_weigh_as_their_confidence(tmp_path: Path) -> None:
    from simteacher.data.folder import FolderWriter

    rng = np.random.default_rng(0)
    with FolderWriter(tmp_path / "pseudo", SPACE, {"kind": "test"}) as writer:
        label = np.full((48, 64), 3, np.uint8)
        confidence = np.full((48, 64), 51, np.uint8)
        writer.add("a", rng.integers(0, 255, (48, 64, 3)).astype(np.uint8), label=label, confidence=confidence)
    b = _stream(open_dataset(tmp_path / "pseudo"), augment=PLAIN).batch(0)
    assert (b.label_BHW == 3).all()
    torch.testing.assert_close(b.weight_BHW, torch.full((4, 32, 64), 0.2))


def test_rare_classes_are_drawn_by_their_chances(dataset: DataSet) -> None:
    counts = np.zeros((6, 11))
    counts[:, 0] = 900
    counts[2, 4] = 100  # one image holds the rare class
    drawing = _stream(dataset, counts_NK=counts, rare=1.0)
    assert drawing.chances is not None
    draws = Counter(drawing._draw(np.random.default_rng(i)) for i in range(400))
    wanted = sum(n for (image, k), n in draws.items() if k == 4)
    assert wanted == sum(n for (image, k), n in draws.items() if k == 4 and image == 2), "an image without the class"
    assert wanted / 400 == pytest.approx(drawing.chances[4], abs=0.02) and wanted / 400 > 0.9
    half = _stream(dataset, counts_NK=counts, rare=0.5)
    for_a_class = sum(half._draw(np.random.default_rng(i))[1] is not None for i in range(400))
    assert for_a_class / 400 == pytest.approx(0.5, abs=0.1)


def test_rare_sampling_shows_the_class_more_often(dataset: DataSet) -> None:
    counts = class_counts(dataset, SPACE)
    pole = SPACE.classes.index("pole")
    chance, rare = (
        sum(int((s.batch(i).label_BHW == pole).sum()) for i in range(12))
        for s in (_stream(dataset), _stream(dataset, counts_NK=counts, rare=1.0))
    )
    assert rare > chance > 0 or (chance == 0 and rare > 0)


def test_a_set_in_which_no_class_is_known_is_drawn_at_random(dataset: DataSet) -> None:
    assert len(_stream(dataset, counts_NK=np.zeros((6, 11)), rare=1.0).batch(0).names) == 4


def test_the_cache_has_a_limit_and_saves_reading(dataset: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    original = module.read_image
    monkeypatch.setattr(module, "read_image", lambda path: (reads.append(path.name), original(path))[1])
    cache = Cache(1.0)
    cached = _stream(dataset, cache=cache)
    for _ in range(2):
        for i in range(6):
            cached.load(i)
    assert len(reads) == 6 and cache.used == 6 * (64 * 48 * 4)
    small = Cache(2 * 64 * 48 * 4 / 2**30)
    limited = _stream(dataset, cache=small)
    for i in range(6):
        limited.load(i)
    assert len(small.kept) == 2 and small.used <= small.gib * 2**30


def test_images_of_any_size_come_at_the_budgets_height(tmp_path: Path) -> None:
    dataset = open_dataset(lookalikes.camvid(tmp_path / "camvid", size=(160, 96)).spec, "train")
    image, (label,) = _stream(dataset).load(0)
    assert image.shape == (48, 80, 3) and label.shape == (48, 80)
    assert set(np.unique(label)) <= {*range(11), 255}


def test_bytes_are_shares_of_255_to_the_bit() -> None:
    several = [np.random.default_rng(i).integers(0, 256, (7, 5, 3)).astype(np.uint8)[:, ::-1] for i in range(2)]
    assert torch.equal(_share_of_255(several), torch.from_numpy(np.stack(several)).float().div_(255))


ALONE = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from simteacher.config import Augment, Budget
from simteacher.data.open import open_dataset
from simteacher.data.stream import Stream
from simteacher.labels import load_space

budget = Budget(steps=1, batch=2, size=(640, 480), crop=(480, 384))
data, space = open_dataset(sys.argv[1]), load_space("camvid11")
stream = Stream("source", data, space, budget, Augment(noise=1.0), 1, 2, twice=True)

def make(step):
    began = time.thread_time()
    stream.batch(step)
    return time.thread_time() - began

with ThreadPoolExecutor(1) as pool:
    began = time.process_time()
    alone = sum(pool.submit(make, i).result() for i in range(8))
    time.sleep(0.3)  # threads that wait for more work would spend it
    print(alone, time.process_time() - began)
"""


@pytest.mark.slow
def test_batches_are_made_by_one_thread(tmp_path: Path) -> None:
    """Those of OpenBLAS and OpenMP would wait, busily, on the cores that the network needs."""
    made = lookalikes.camvid(tmp_path / "camvid", size=(160, 96))
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "2")
    command = [sys.executable, "-c", ALONE, made.spec]
    out = subprocess.run(command, env=os.environ | threads, check=True, capture_output=True, text=True).stdout
    alone, whole = map(float, out.split())
    assert whole < 1.4 * alone + 0.02  # another thread that waits busily makes it twice that


@pytest.mark.parametrize("count", [1, 3])
def test_prefetch_yields_every_step_in_order_from_other_threads(dataset: DataSet, count: int) -> None:
    made, threads = _stream(dataset), set()
    original = made.batch

    class Spy(Stream):
        def batch(self, step: int) -> Batch:
            threads.add(threading.current_thread().name)
            return original(step)

    spy = Spy("source", dataset, SPACE, BUDGET, Augment(), 1, 4)
    steps = list(prefetch({"source": spy}, 2, 7, count))
    assert len(steps) == 5 and all(_equal(b["source"], original(s)) for s, b in zip(range(2, 7), steps, strict=True))
    assert threading.current_thread().name not in threads and len(threads) <= count


def test_batches_are_made_by_one_thread_but_beside_a_gpu_by_half_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(12)), raising=False)
    assert loaders() == 1
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert loaders() == 6
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert loaders() == 1
    monkeypatch.delenv("LOCAL_WORLD_SIZE")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert loaders() == 8


def test_prefetch_passes_on_what_goes_wrong(dataset: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _stream(dataset)

    def broken(path: Path) -> Any:
        raise UserError("truncated", path, "copy it again")

    monkeypatch.setattr(module, "read_image", broken)
    with pytest.raises(UserError, match="truncated"):
        next(prefetch({"source": made}, 0, 3))
