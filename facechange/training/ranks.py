"""One run on many devices: `torchrun` starts a process for each, a rank, and the ranks average their gradients.

Every rank holds the networks, works on its own micro-batches, and takes the same step as the others: one all-reduce
after a backward pass, which is what `DistributedDataParallel` computes, without a wrapper around networks that a step
calls in several ways. The first rank alone decides when to stop, and writes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed, nn

from facechange.core import TrainingError

REASONS = ("", "pictures", "minutes", "loss", "interrupt")  # why a run ends; "": it goes on


class Ranks:
    """The processes of a run, and which of them this one is; made by `join_ranks`. One alone has nothing to average."""

    def __init__(self, rank: int = 0, size: int = 1, device: torch.device | None = None) -> None:
        self.rank, self.size = rank, size
        self._device = device or torch.device("cpu")
        self._since, self._waited = time.monotonic(), 0.0

    @property
    def is_first(self) -> bool:
        """Whether this is the rank that decides and writes."""
        return self.rank == 0

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add up the gradients of all ranks, in place."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if self.size == 1 or not gradients:
            return
        every = torch.cat([gradient.flatten() for gradient in gradients])
        self._reduce(every, distributed.ReduceOp.SUM)
        for gradient, part in zip(gradients, every.split([each.numel() for each in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def average(self, terms: dict[str, Tensor], pictures: float) -> dict[str, Tensor]:
        """The means of scalar `terms` over all ranks; beside them each rank's pictures a second, of which it saw
        `pictures` since the last call, without the time that it waited for others."""
        if self.size == 1:
            return terms
        now = time.monotonic()
        speeds = torch.zeros(self.size, device=self._device)
        speeds[self.rank] = pictures / max(now - self._since - self._waited, 1e-9)
        self._since, self._waited = now, 0.0
        values = torch.cat([torch.stack(list(terms.values())).float() / self.size, speeds])
        self._reduce(values, distributed.ReduceOp.SUM)
        names = [*terms, *(f"pictures_per_second_rank_{rank}" for rank in range(self.size))]
        return dict(zip(names, values.unbind(), strict=True))

    def follow(self, reason: str) -> str:
        """What the first rank gives as the `reason` to end, one of `REASONS`."""
        if self.size == 1:
            return reason
        told = torch.tensor(REASONS.index(reason))
        with self._waiting():
            distributed.broadcast(told, 0)
        return REASONS[int(told)]

    def check_alike(self, networks: Iterable[nn.Module], pictures: int) -> None:
        """Raise `TrainingError` where the ranks do not begin with the same weights after the same number of
        pictures."""
        if self.size == 1:
            return
        sums = [float(each.double().abs().sum()) for network in networks for each in network.parameters()]
        mine = torch.tensor([pictures, sum(sums)], dtype=torch.float64, device=self._device)
        least, most = mine.clone(), mine.clone()
        self._reduce(least, distributed.ReduceOp.MIN)
        self._reduce(most, distributed.ReduceOp.MAX)
        if not torch.equal(least, most):
            raise TrainingError(
                f"The ranks begin with different checkpoints, after {int(least[0]):,} to {int(most[0]):,} pictures.",
                "Give every machine the same files at the same paths, the run's folder among them.",
            )
        self._since, self._waited = time.monotonic(), 0.0

    def _reduce(self, values: Tensor, how: distributed.ReduceOp.RedOpType) -> None:
        with self._waiting():
            distributed.all_reduce(values, how)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Count the time that the body takes as not this rank's own; an accelerator is waited for before and after."""
        self._synchronize()
        started = time.monotonic()
        try:
            yield
            self._synchronize()
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise TrainingError(
                f"Another rank of this run ended ({reason}).",
                "It says why; the same command goes on from the last checkpoint.",
            ) from None
        self._waited += time.monotonic() - started

    def _synchronize(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


def is_first_rank() -> bool:
    """Whether this process is to say something: alone, or the first of those that `torchrun` started."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def join_ranks(device: torch.device) -> Iterator[Ranks]:
    """Meet the other processes that `torchrun` started, on `device`, of which each rank of a machine takes its own.

    Raises `TrainingError` where they cannot meet, or have too few devices.
    """
    size, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    if size == 1:
        yield Ranks()
        return
    if device.type == "cuda":
        if local >= torch.cuda.device_count():
            raise TrainingError(
                f"Rank {local} of this machine has no GPU: there are {torch.cuda.device_count()}.",
                "Give torchrun --nproc-per-node so many at most.",
            )
        torch.cuda.set_device(local)
    elif device.type != "cpu":
        raise TrainingError(
            f"Several ranks cannot share {device.type}.", "Train with --device cuda or cpu, or without torchrun."
        )
    try:
        distributed.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise TrainingError(f"The ranks did not meet ({reason}).", "Start them with torchrun.") from None
    try:
        yield Ranks(distributed.get_rank(), size, device)
    finally:
        distributed.destroy_process_group()
