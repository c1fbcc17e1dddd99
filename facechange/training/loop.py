"""The training loop of every network, in time order: open or resume, a batch, a step, the EMA, the log, a checkpoint,
the end.

A training supplies its networks, `batches`, `step` and, where there is something to measure or to show, `evaluate` and
`draw_sheet`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from facechange.core import TrainingError
from facechange.core.stored import read_json
from facechange.training.checkpoint import load_checkpoint, save_checkpoint, update_ema
from facechange.training.config import Config, RunConfig
from facechange.training.datasets import Dataset, note_dataset
from facechange.training.interrupt import PatientInterrupt
from facechange.training.memory import prepare_device
from facechange.training.ranks import Ranks, join_ranks
from facechange.training.run_log import RunLog

SMOOTHING = 0.98
LOG_STEPS = 20  # numbers are read from the device so often at most, because each reading waits for it
REPORT_SECONDS = 20
SHEET_SECONDS = 60
EXPLOSION = 8.0  # the smoothed total may grow this many times over its best before the run is stopped
SETTLED_STEPS = 200  # steps before the guard and the target range count

# what a checkpoint says beside tensors: `pictures`, `seconds` over all calls, and what the training adds
Progress = dict[str, Any]
Report = Callable[[dict[str, float]], None]


@dataclass(frozen=True)
class Run:
    """How a run ended."""

    checkpoint: Path
    pictures: int
    reason: str  # "pictures", "minutes" or "loss"


class Training:
    """What a training gives to the loop. Made after the seed is set; batch k depends on the seed and k alone."""

    checkpoint = "checkpoint.safetensors"  # its name in the run's folder
    fixed: tuple[str, ...] = ()  # fields of the table that a run in its folder may not change
    config: RunConfig
    networks: dict[str, nn.Module]  # what a checkpoint holds
    optimisers: dict[str, torch.optim.Optimizer]
    rates: dict[str, float] = {}  # noqa: RUF012  of an optimiser, over the learning rate
    emas: Sequence[tuple[nn.Module, nn.Module]]  # each an EMA of weights and the network that it follows
    counts_all_calls = False  # `minutes` are those of all calls, which `spent` looks after, not of this one
    micro_batches = 1  # of a batch, which ranks share
    ranks = Ranks()  # this one, and how many there are; set before the first batch
    dataset: Dataset | None = None  # what is known of the pictures; None: nothing is recorded

    def begin(self) -> Progress:
        """Fill the networks of a new run where they don't start from nothing; returns what its progress says of
        that."""
        return {}

    def metadata(self) -> Progress:
        """What the progress in every checkpoint says, of a run that goes on too."""
        return {}

    def batches(self, first: int) -> Iterator[Any]:
        """Batch `first` and those after it, without end; of each what `ranks` says is this rank's."""
        raise NotImplementedError

    def step(self, batch: Any, number: int) -> dict[str, Tensor]:
        """Train on batch `number`, with the gradients of all `ranks`; gives every loss term of this one, unweighted, and
        `total`."""
        raise NotImplementedError

    def learning_rate(self, progress: Progress) -> float:
        """The learning rate of the next step."""
        raise NotImplementedError

    def decay(self, number: int) -> float:
        """How much of the EMAs stays at step `number`; by default the last thousand steps or so count."""
        return min(0.998, (number + 2) / (number + 11))

    def spent(self, progress: Progress) -> float:
        """The share of the run that is behind it; it ends at 1."""
        return float(progress["pictures"] / self.config.pictures)

    def evaluate(self) -> dict[str, float]:
        """What is measured at every checkpoint."""
        return {}

    def draw_sheet(self, batch: Any, pictures: int) -> None:
        """Show people what the network does with `batch`."""


def train(kind: Callable[[Config, torch.device], Training], config: Config, report: Report = lambda row: None) -> Run:
    """Train what `kind` makes, or go on with the run in `config.run` exactly where it stopped, on one device or on the
    ranks that `torchrun` started.

    Raises `TrainingError` where the data or a checkpoint do not fit, where ranks cannot share a batch, and, naming the
    last good checkpoint, where the loss is not finite or explodes; `KeyboardInterrupt` once the step at hand is saved;
    what `draw_sheet` raises.
    """
    called = time.monotonic()
    device = prepare_device(config.device)
    with join_ranks(device) as ranks:
        torch.manual_seed(config.seed)
        training = kind(config, device)
        _check_shares(training, ranks)
        training.ranks = ranks
        checkpoint = config.run / training.checkpoint
        progress = _open_run(training, checkpoint)
        if training.spent(progress) >= 1:
            return Run(checkpoint, int(progress["pictures"]), "pictures")
        batches = training.batches(int(progress["pictures"]) // config.batch)
        with PatientInterrupt() as interrupt, ExitStack() as stack:
            book = stack.enter_context(Bookkeeper(training, progress, report, called)) if ranks.is_first else None
            reason = ""
            while not reason:
                number, batch = int(progress["pictures"]) // config.batch, next(batches)
                rate = training.learning_rate(progress)
                for name, optimiser in training.optimisers.items():
                    for group in optimiser.param_groups:
                        group["lr"] = rate * training.rates.get(name, 1.0)
                terms = ranks.average(training.step(batch, number), config.batch / ranks.size)
                for ema, network in training.emas:
                    update_ema(ema, network, training.decay(number))
                progress["pictures"] += config.batch
                reason = ranks.follow(book.note(terms, batch, interrupt.asked) if book else "")
        if reason == "interrupt":
            raise KeyboardInterrupt
        return Run(checkpoint, int(progress["pictures"]), reason)


def _check_shares(training: Training, ranks: Ranks) -> None:
    """Raise `TrainingError` where the ranks cannot take the same number of micro-batches each."""
    if training.micro_batches % ranks.size:
        raise TrainingError(
            f"{ranks.size} ranks cannot share batches of {training.micro_batches} micro-batches evenly.",
            f"Give train face --micro-batches {ranks.size}, or a multiple; other networks train on one rank.",
        )


class Bookkeeper:
    """What the first rank does between two steps: it watches the losses, writes log and checkpoints, has sheets drawn,
    and says when the run ends."""

    def __init__(self, training: Training, progress: Progress, report: Report, called: float) -> None:
        self._training, self._progress, self._report, self._called = training, progress, report, called
        self._checkpoint = training.config.run / training.checkpoint
        self._first, self._before = int(progress["pictures"]), float(progress["seconds"])
        self._started = self._saved = self._told = self._drawn = time.monotonic()
        self._unread: list[dict[str, Tensor]] = []
        self._log = RunLog(training.config.run, self._first)

    def __enter__(self) -> Bookkeeper:
        self._log.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._log.__exit__(kind, error, trace)

    def note(self, terms: dict[str, Tensor], batch: Any, interrupted: bool) -> str:
        """Note a step with its `terms`; gives the reason to end the run, or ""."""
        training, progress, now = self._training, self._progress, time.monotonic()
        config = training.config
        self._unread.append(terms)
        progress["seconds"] = self._before + now - self._started
        reason = "interrupt" if interrupted else _reason_to_stop(training, progress, now - self._called)
        due = bool(reason) or now - self._saved > config.checkpoint_seconds
        if due or len(self._unread) == LOG_STEPS or now - self._told > REPORT_SECONDS:
            row = _read_terms(self._unread, progress, config.batch, self._checkpoint)
            self._unread.clear()
            reason = reason or _reason_to_stop(training, progress, now - self._called)
            due = due or bool(reason)
            row |= training.evaluate() if due else {}
            self._add(row, now, bool(reason))
        if due:
            save_checkpoint(self._checkpoint, training.networks, training.optimisers, progress)
            self._saved = now
        even = progress["pictures"] % config.sheet_pictures < config.batch
        if reason or (even and now - self._drawn > SHEET_SECONDS):
            training.draw_sheet(batch, int(progress["pictures"]))
            self._log.draw_curves()
            self._drawn = now
        return reason

    def _add(self, row: dict[str, float], now: float, last: bool) -> None:
        speed = (self._progress["pictures"] - self._first) / (now - self._started)
        self._log.add(row | {"pictures_per_second": speed})
        if last or now - self._told > REPORT_SECONDS:
            self._report(self._log.rows[-1])
            self._told = now


def _open_run(training: Training, checkpoint: Path) -> Progress:
    """The progress of a new run, or of the one in the folder, whose state is read; the first rank saves the table in
    force beside it."""
    config, table = training.config, training.config.run / "config.json"
    if training.ranks.is_first:
        _prepare_folder(training, table)
    progress: Progress = {"pictures": 0, "seconds": 0.0, "total": math.nan, "best_total": math.inf}
    if checkpoint.exists():
        progress |= load_checkpoint(checkpoint, training.networks, training.optimisers)
    else:
        progress |= training.begin()
    training.ranks.check_alike(training.networks.values(), int(progress["pictures"]))
    note_dataset(progress, training.dataset)
    if training.ranks.is_first:
        config.save(table)
    return progress | training.metadata()


def _prepare_folder(training: Training, table: Path) -> None:
    """Make the run's folder; raises `TrainingError` where it cannot be, or holds a run of another kind."""
    config = training.config
    try:
        config.run.mkdir(parents=True, exist_ok=True)
        earlier = read_json(table) if training.fixed and table.exists() else {}
        changed = [name for name in training.fixed if name in earlier and earlier[name] != asdict(config)[name]]
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(f"{config.run} cannot be used for a run ({error}).", "Choose another folder.") from None
    if changed:
        raise TrainingError(
            f"{config.run} holds a run with another {', '.join(changed)}.", "Choose another folder for this one."
        )


def _read_terms(
    unread: Sequence[dict[str, Tensor]], progress: Progress, batch: int, checkpoint: Path
) -> dict[str, float]:
    """Fetch the terms of some steps from the device at once, watch every total, and give their means as a row of the
    log."""
    values = iter(torch.stack([value.float() for terms in unread for value in terms.values()]).tolist())
    rows = [dict(zip(terms, values, strict=False)) for terms in unread]
    seen = int(progress["pictures"])
    for number, row in enumerate(rows, 1 - len(rows)):
        _watch(row["total"], progress, seen + number * batch, batch, checkpoint)
    names = sorted({name for row in rows for name in row})
    return {"pictures": seen} | {name: fmean(row[name] for row in rows if name in row) for name in names}


def _watch(total: float, progress: Progress, pictures: int, batch: int, checkpoint: Path) -> None:
    """The stability guard: keep the smoothed total and stop a run that is lost."""
    progress["total"] = (
        total if math.isnan(progress["total"]) else SMOOTHING * progress["total"] + (1 - SMOOTHING) * total
    )
    lost = f"The loss is not finite after {pictures:,} pictures." if not math.isfinite(total) else ""
    if not lost and pictures > SETTLED_STEPS * batch:
        progress["best_total"] = min(progress["best_total"], progress["total"])
        if progress["total"] > EXPLOSION * progress["best_total"]:
            lost = f"The loss exploded to {progress['total']:.1f} after {pictures:,} pictures."
    if lost:
        kept = (
            f"The last good checkpoint is {checkpoint}; go on from it"
            if checkpoint.exists()
            else "Nothing was saved yet; start again"
        )
        raise TrainingError(lost, f"{kept} with a lower learning rate.")


def _reason_to_stop(training: Training, progress: Progress, seconds: float) -> str:
    if training.spent(progress) >= 1:
        return "pictures"
    if seconds > training.config.minutes * 60 and not training.counts_all_calls:
        return "minutes"
    return "loss" if progress["best_total"] < math.inf and progress["total"] < training.config.loss_below else ""
