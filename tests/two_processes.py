"""What `test_processes` starts under torchrun: first a batch that is too small for two, then a whole run."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from lightning_fabric.plugins.precision import Precision
from torch import nn

from simteacher import processes
from simteacher.adapt import adapt
from simteacher.config import Budget
from simteacher.errors import UserError

BUDGET = Budget(steps=6, batch=4, size=(64, 48), crop=(64, 32))
CHANGES: dict[str, Any] = {
    "budget": BUDGET.model_dump(mode="json"),
    "batchnorm": 0.0,
    "rounds": {"count": 1, "mix": "none", "pseudo": {"views": 2}},
    "teacher": {"objectives": {"adversarial": 0.01, "agreement": 0.1, "min_entropy": 0.01, "aux": 0.0}},
}


def network(classes: int) -> nn.Module:
    """A network whose answer for an image does not depend on the others of its batch, nor on chance."""
    first, norm = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.GroupNorm(2, 8)
    return nn.Sequential(first, norm, nn.ReLU(), nn.Conv2d(8, 2 * classes, 1), Halves())


class Halves(nn.Module):
    """The first half of the channels is the primary head's answer, the second the auxiliary's."""

    def forward(self, x: Any) -> Any:
        """Split."""
        return tuple(x.chunk(2, dim=1))


def main(folder: Path) -> None:
    """Both runs, in one process or in one of several."""
    processes.precision = Precision
    told = {}
    as_fabric_run = {"LT_CLI_USED": "1", "LT_DEVICES": "2", "LT_NUM_NODES": "1", "LT_STRATEGY": "ddp"}
    os.environ.update(as_fabric_run)
    try:
        adapt(folder / "recipe.yaml", out=folder / "small", set={"budget.batch": 1}, network=network)
    except UserError as e:
        told = {"error": e.problem, "fix": e.fix}
    except SystemExit as e:
        told = {"code": e.code}
    for name in as_fabric_run:
        os.environ.pop(name, None)
    (folder / f"told-{os.environ['RANK']}.json").write_text(json.dumps(told))
    adapt(folder / "recipe.yaml", out=folder / "two", network=network)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
