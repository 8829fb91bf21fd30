"""The first half of a round: its teacher labels the photographs that have no labels of their own."""

from __future__ import annotations

from lightning_fabric import Fabric

from simteacher.config import Recipe
from simteacher.data.open import open_dataset
from simteacher.data.sample import DataSet
from simteacher.errors import UserError
from simteacher.files import remade
from simteacher.inputs import Inputs
from simteacher.models.store import Model
from simteacher.processes import on_first
from simteacher.pseudo import label_dataset, read_part
from simteacher.rundir import RunDir
from simteacher.stages import to_label


def pseudo_labels(
    run: RunDir, recipe: Recipe, data: Inputs, number: int, teacher: Model, fabric: Fabric, part: tuple[int, int]
) -> DataSet:
    """Write round ``number``'s labels to its folder ``pseudo``; a set without frames where no photograph needs any.

    Args:
        run: The run; its log gets an event ``pseudo``.
        recipe: How many views, which pixels.
        data: The photographs.
        number: From 1.
        teacher: Reads them.
        fabric: Of several processes, each reads its share.
        part: Which share this process reads.

    Raises:
        UserError: A photograph cannot be read, or another process sees other labels.
    """
    name, how = f"round-{number}", recipe.rounds.pseudo
    photographs = to_label(recipe, data, number)
    if not photographs:
        return photographs
    folder, portion = run.stage(name) / "pseudo", how.portion[min(number, len(how.portion)) - 1]
    if fabric.world_size > 1:
        read_part(teacher, photographs, folder, how, part)
        fabric.barrier()

    def label() -> int:
        origin = {"teacher": teacher.path.parent.name, "target": run.begun.target}
        with remade(folder):
            result = label_dataset(teacher, photographs, folder, how, portion, origin)
        if not any(e["event"] == "pseudo" and e["stage"] == name for e in run.events()):
            run.log(event="pseudo", stage=name, photographs=len(photographs), **result)
        return len(open_dataset(f"folder:{folder}"))

    labelled = on_first(fabric, label)
    pseudo = open_dataset(f"folder:{folder}")
    if len(pseudo) != labelled:
        what = f"this process sees {len(pseudo)} pseudo-labels, the first {labelled}"
        raise UserError(what, folder, "put the run folder where all machines see it, and run the same command again")
    return pseudo
