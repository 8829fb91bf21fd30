"""A glance finds the files that a full reading finds, and reads the pixels of none that is whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simteacher.data import glance as module
from simteacher.data.glance import glance
from simteacher.data.images import read_image
from simteacher.data.open import open_dataset
from simteacher.errors import UserError

NOISE_HWC = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "bmp"])
@pytest.mark.parametrize("kept", [0, 1, 20, 0.5, 0.99])
def test_a_cut_file_is_named_where_reading_it_fails(tmp_path: Path, suffix: str, kept: float) -> None:
    Image.fromarray(NOISE_HWC).save(tmp_path / f"a.{suffix}")
    cut = tmp_path / f"b.{suffix}"
    whole = (tmp_path / f"a.{suffix}").read_bytes()
    cut.write_bytes(whole[: kept if isinstance(kept, int) else int(len(whole) * kept)])
    with pytest.raises(UserError):
        read_image(cut)
    photographs = open_dataset(str(tmp_path), None)
    if suffix in ("jpg", "png") or kept in (0, 1):
        with pytest.raises(UserError) as error:
            glance([photographs])
        assert error.value.where == str(cut)
    (cut).unlink()
    glance([open_dataset(str(tmp_path), None)])


def test_only_what_lacks_its_end_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.jpg", "b.png", "c.jpg"):
        Image.fromarray(NOISE_HWC).save(tmp_path / name)
    with open(tmp_path / "c.jpg", "ab") as f:
        f.write(b"\0" * 5000)  # a camera's own appendix
    decoded: list[str] = []

    def read(path: Path) -> object:
        decoded.append(path.name)
        return read_image(path)

    monkeypatch.setattr(module, "read_image", read)
    glance([open_dataset(str(tmp_path), None)])
    assert decoded == ["c.jpg"]


def test_several_are_counted(tmp_path: Path) -> None:
    Image.fromarray(NOISE_HWC).save(tmp_path / "a.png")
    for name in ("b.png", "c.jpg", "d.jpg"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match="the file is empty") as error:
        glance([open_dataset(str(tmp_path), None)])
    assert error.value.where == str(tmp_path / "b.png") and "2 more files" in str(error.value.fix)
