"""Which photographs to label next: `simteacher select MODEL DATA --budget N`.

In: a model and unlabelled photographs. Out: ``names.txt``, usable as ``adapt --labelled``, and ``index.html``, a sheet
that shows the chosen ones and why. How they are judged is in ``selection.py``.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from simteacher.ahead import ahead
from simteacher.data import DataSet, read_image
from simteacher.errors import UserError
from simteacher.files import atomic_write, read_names, require_empty
from simteacher.inputs import all_names, training_split
from simteacher.memory import keep_freed_memory
from simteacher.models.store import Model, load
from simteacher.progress import progress, say
from simteacher.select_sheet import write_sheet
from simteacher.selection import choose, explain, look
from simteacher.typed import typed

NAMES = "names.txt"


@typed
def select(
    model: str | Path | Model,
    data: str | Path | DataSet,
    *,
    budget: int,
    split: str | None = None,
    labelled: str | Path | None = None,
    out: str | Path = "selection",
) -> Path:
    """Choose the photographs whose labels would teach a model most.

    Args:
        model: A run folder, a stage of one, a ``model.safetensors`` or a ``.onnx`` file, or a loaded model.
        data: Photographs; labels are not opened.
        budget: How many to choose.
        split: Of the data; by default the one that `adapt` trains on: "train" where there is one, else every frame.
        labelled: Text file of names that have labels already: they are not chosen, nor is what looks like them.
        out: Folder for ``names.txt`` and ``index.html``.

    Returns:
        The file of names.

    Raises:
        UserError: Model, data or names are wrong, or the budget is not positive.
    """
    if budget < 1:
        raise UserError(f"a budget of {budget} photographs", "--budget", "give at least 1")
    keep_freed_memory()
    loaded = model if isinstance(model, Model) else load(model)
    dataset = (data if isinstance(data, DataSet) else training_split(str(data), split)).unlabelled()
    known = _indices(dataset, labelled)
    folder = Path(out)
    if not (folder / NAMES).is_file():
        require_empty(folder)
    if len(known) == len(dataset):
        raise UserError("every photograph has a label already", "--labelled", "leave some out of the list")
    if budget > len(dataset) - len(known):
        say(f"only {len(dataset) - len(known)} photographs are left to choose from: all of them are taken")
    looks = []
    with progress(len(dataset), "look") as bar:
        for image in ahead(dataset.frames, lambda frame: read_image(frame.image), 2):
            looks.append(look(loaded, image))
            bar.advance()
    chosen = choose(looks, budget, known)
    choices = explain(dataset.frames, looks, chosen, loaded.card.space.classes)
    content = "".join(f"{c.frame.name}\n" for c in choices)
    if (folder / NAMES).is_file() and (folder / NAMES).read_text(encoding="utf-8") != content:
        raise UserError("lists other photographs already", folder / NAMES, "choose another --out, or delete it")
    atomic_write(folder / NAMES, content)
    called = str(dataset.root) if isinstance(data, DataSet) else str(data)
    write_sheet(folder / "index.html", loaded, choices, called, len(dataset))
    which = f" of {dataset.split}" if dataset.split else ""
    say(f"{len(choices)} of {len(dataset)} photographs{which}: {folder / NAMES}; why these: {folder / 'index.html'}")
    return folder / NAMES


def _indices(dataset: DataSet, names: str | Path | None) -> list[int]:
    """Positions of the names in a file."""
    if names is None:
        return []
    at = {frame.name: i for i, frame in enumerate(dataset.frames)}
    return [at[name] for name in read_names(names, at, partial(all_names, dataset))]
