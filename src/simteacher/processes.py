"""Several processes for one run: how many a launcher started, what the first does alone, what all of them learn.

Started by ``torchrun`` or ``fabric run``, every process runs the same command. The first one writes; the others compute
their share of each batch and read what it wrote, so that the run folder and the data must be where all can see them.
Without a launcher there is one process and nothing here does anything.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision, Precision
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor

from simteacher.errors import UserError
from simteacher.precision import autocast, kind_of_device
from simteacher.progress import say, set_quiet

T = TypeVar("T")
PATIENCE = timedelta(hours=12)  # the others wait so long while the first measures a large set
HOW = "torchrun --nproc-per-node N -m simteacher adapt …"


def launched() -> tuple[int, int]:
    """(rank, processes) as the launcher says; (0, 1) without one."""
    if not (torch.distributed.is_available() and torch.distributed.is_torchelastic_launched()):
        return 0, 1
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


class Autocast(MixedPrecision):
    """bf16 inside of the network where that is quick; images arrive in float32, as in use, and are normalised so.

    Fabric's own would round them to bf16 first, whose step is 1/256 for bright pixels.

    Args:
        device: Kind of device that trains.
    """

    def __init__(self, device: str) -> None:
        super().__init__("bf16-mixed", device)

    def forward_context(self) -> torch.autocast:
        """The same as wherever else a network runs."""
        return autocast(self.device)

    def convert_input(self, data: Any) -> Any:
        """As it is."""
        return data


def precision() -> Precision:
    """That of every training, on the device that Fabric will take."""
    return Autocast(kind_of_device())


def make_fabric() -> Fabric:
    """The processes that a launcher started, else one process on one device.

    Batch-norm statistics are not exchanged: each process keeps its own, and the first one's are saved.

    Raises:
        UserError: The launcher asks for more devices than there are, or for settings that are the recipe's.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    warnings.filterwarnings(
        "ignore", message=".*(Precision|precision|devices|GPU|broadcast_buffers).*", module="lightning_fabric.*"
    )
    rank, processes = launched()
    local = 1
    how: Any = "auto"
    if processes > 1:
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        os.environ.pop("LT_STRATEGY", None)  # of `fabric run --strategy ddp`: that is what it will be
        # a second forward pass before the backward pass must not find buffers that an exchange has changed
        how = DDPStrategy(timeout=PATIENCE, broadcast_buffers=False)
        set_quiet(rank > 0)
    elif torch.cuda.device_count() > 1:
        say(f"one of {torch.cuda.device_count()} GPUs is used; for all of them: {HOW}")
    try:
        nodes = processes // local
        fabric = Fabric(accelerator="auto", devices=local, num_nodes=nodes, strategy=how, plugins=[precision()])
        if os.environ.get("LT_CLI_USED") != "1":  # `fabric run` has done that, and forbids it
            fabric.launch()
    except (ValueError, RuntimeError) as e:
        if processes == 1:
            raise
        fix = f"start as many processes a machine as it has devices, with nothing but their number: {HOW}"
        raise UserError(f"{processes} processes cannot be set up: {' '.join(str(e).split())}", "torchrun", fix) from e
    return fabric


def on_first(fabric: Fabric, work: Callable[[], T]) -> T:
    """Let the first process do ``work`` while the others wait; its result arrives everywhere.

    What goes wrong there is told there, and ends the others without a word.
    """
    if fabric.world_size == 1:
        return work()
    outcome: tuple[bool, Any] = (False, None)
    if fabric.global_rank == 0:
        try:
            outcome = True, work()
        except Exception:
            fabric.broadcast(outcome)
            raise
    done, result = fabric.broadcast(outcome)
    if not done:
        raise SystemExit(2)
    return result  # type: ignore[no-any-return]


@contextmanager
def first_then_others(fabric: Fabric) -> Iterator[None]:
    """The block is for all, the first process goes ahead: what it writes is there for the others, as is its failure."""
    if fabric.world_size == 1:
        yield
    elif fabric.global_rank > 0:
        if not fabric.broadcast(False):
            raise SystemExit(2)
        yield
    else:
        try:
            yield
        except Exception:
            fabric.broadcast(False)
            raise
        fabric.broadcast(True)


def mean_and_any(fabric: Fabric, value: Tensor, flag: bool) -> tuple[Tensor, bool]:
    """The mean of a number over all processes, and whether a flag is set on one of them, in one exchange."""
    if fabric.world_size == 1:
        return value, flag
    both = torch.stack([value.detach().float(), torch.tensor(float(flag), device=value.device)])
    torch.distributed.all_reduce(both)
    return both[0] / fabric.world_size, bool(both[1] > 0)


def means(fabric: Fabric, values: dict[str, Tensor]) -> dict[str, float]:
    """Numbers of all processes, averaged."""
    stacked = torch.stack([v.detach().float() for v in values.values()])
    if fabric.world_size > 1:
        torch.distributed.all_reduce(stacked)
    return dict(zip(values, (stacked / fabric.world_size).tolist(), strict=True))


def average_gradients(fabric: Fabric, module: torch.nn.Module) -> None:
    """Bring the gradients of a module that is called past Fabric's wrapper to their mean over all processes."""
    if fabric.world_size == 1:
        return
    for p in module.parameters():
        if p.grad is not None:
            torch.distributed.all_reduce(p.grad)
            p.grad /= fabric.world_size


@contextmanager
def one_run(fabric: Fabric, where: object) -> Iterator[None]:
    """Around a run: the loss of another process is a message, and the connections are closed at the end.

    Raises:
        UserError: Another process of the run is gone.
    """
    try:
        yield
    except RuntimeError as e:
        if fabric.world_size == 1 or not any(word in str(e) for word in ("onnection", "gloo", "NCCL", "socket")):
            raise
        fix = "its message is above or on another machine; run the same command to continue"
        raise UserError("another process of this run has ended", str(where), fix) from e
    if fabric.world_size > 1:
        torch.distributed.destroy_process_group()
