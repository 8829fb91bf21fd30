"""Makes the README picture: ``python docs/pictures/make.py [FOLDER]``; renders FOLDER if it is not there."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

import simteacher

FRAMES = ("000000", "000004", "000007", "000010")
SIZE = (480, 360)
GAP = 6


def main(folder: Path) -> None:
    """Photographs in one row, their labels below."""
    simteacher.render(folder, frames=12, size=SIZE, seed=5)
    wide, high = SIZE[0] + GAP, SIZE[1] + GAP
    sheet = Image.new("RGB", (wide * len(FRAMES) - GAP, high * 2 - GAP), "white")
    for column, name in enumerate(FRAMES):
        sheet.paste(Image.open(folder / "images" / f"{name}.jpg"), (column * wide, 0))
        sheet.paste(Image.open(folder / "labels" / f"{name}.png").convert("RGB"), (column * wide, high))
    sheet.resize((sheet.width * 2 // 3, sheet.height * 2 // 3), Image.Resampling.LANCZOS).save(
        Path(__file__).with_name("streets.jpg"), quality=85
    )


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/readme-streets"))
