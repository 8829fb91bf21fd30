"""Makes the picture of the translation guide: ``python docs/pictures/make_translations.py [FOLDER]``.

Everything in it is rendered: the "photographs" are streets in late, hazy light.
"""

from __future__ import annotations

import sys
from pathlib import Path

import simteacher
from simteacher.data import open_dataset, read_image
from simteacher.translate.colour import chosen
from simteacher.translate.sheet import write_sheet

METHODS = ("color", "histogram", "fda")
FRAMES = 3
SCENE = "light: {weather: {fog: 1}, time: {low_sun: 1, dusk: 1}}\n"


def main(folder: Path) -> None:
    """One row an image: source, the stand-in for a photograph, one column a method."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "late.yaml").write_text(SCENE, encoding="utf-8")
    source = simteacher.render(folder / "source", frames=FRAMES, size=(320, 240), seed=5)
    late = simteacher.render(folder / "late", frames=4, size=(320, 240), seed=8, scene=folder / "late.yaml")
    photographs = open_dataset(late).unlabelled()
    made = {m: simteacher.translate(str(source), str(late), folder / m, m, **_more(m)) for m in METHODS}
    rows = []
    for frame in open_dataset(source).frames:
        like = photographs.frames[chosen(photographs, 0, frame.name)]
        row = {"source": read_image(frame.image), "target": read_image(like.image)}
        rows.append(row | {m: read_image(out / "images" / f"{frame.name}.jpg") for m, out in made.items()})
    write_sheet(Path(__file__).with_name("translations.jpg"), rows)


def _more(method: str) -> dict[str, float]:
    return {"beta": 0.05} if method == "fda" else {}


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/translations"))
