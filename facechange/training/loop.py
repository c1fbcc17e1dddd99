"""The training loop of every network, in time order: open or resume, a batch, a step, the EMA, the log, a checkpoint,
the end.

A training supplies its networks, `batches`, `step` and, where there is something to measure or to show, `evaluate` and
`draw_sheet`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
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
    dataset: Dataset | None = None  # what is known of the pictures; None: nothing is recorded

    def begin(self) -> Progress:
        """Fill the networks of a new run where they don't start from nothing; returns what its progress says of
        that."""
        return {}

    def metadata(self) -> Progress:
        """What the progress in every checkpoint says, of a run that goes on too."""
        return {}

    def batches(self, first: int) -> Iterator[Any]:
        """Batch `first` and those after it, without end."""
        raise NotImplementedError

    def step(self, batch: Any, number: int) -> dict[str, Tensor]:
        """Train on batch `number`; gives every loss term, unweighted, and `total`."""
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
    """Train what `kind` makes, or go on with the run in `config.run` exactly where it stopped.

    Raises `TrainingError` where the data or a checkpoint do not fit, and, naming the last good checkpoint, where the
    loss is not finite or explodes; `KeyboardInterrupt` once the step at hand is saved; what `draw_sheet` raises.
    """
    called = time.monotonic()
    device = prepare_device(config.device)
    torch.manual_seed(config.seed)
    training = kind(config, device)
    checkpoint = config.run / training.checkpoint
    progress = _open_run(training, checkpoint)
    first, before = int(progress["pictures"]), float(progress["seconds"])
    if training.spent(progress) >= 1:
        return Run(checkpoint, first, "pictures")
    started = saved = told = drawn = time.monotonic()
    unread: list[dict[str, Tensor]] = []
    batches = training.batches(first // config.batch)
    with RunLog(config.run, first) as log, PatientInterrupt() as interrupt:
        while True:
            number, batch = int(progress["pictures"]) // config.batch, next(batches)
            rate = training.learning_rate(progress)
            for name, optimiser in training.optimisers.items():
                for group in optimiser.param_groups:
                    group["lr"] = rate * training.rates.get(name, 1.0)
            unread.append(training.step(batch, number))
            for ema, network in training.emas:
                update_ema(ema, network, training.decay(number))

            now = time.monotonic()
            progress["pictures"] += config.batch
            progress["seconds"] = before + now - started
            reason = "interrupt" if interrupt.asked else _reason_to_stop(training, progress, now - called)
            due = bool(reason) or now - saved > config.checkpoint_seconds
            if due or len(unread) == LOG_STEPS or now - told > REPORT_SECONDS:
                row = _read_terms(unread, progress, config.batch, checkpoint)
                unread.clear()
                reason = reason or _reason_to_stop(training, progress, now - called)
                due = due or bool(reason)
                row |= training.evaluate() if due else {}
                log.add(row | {"pictures_per_second": (progress["pictures"] - first) / (now - started)})
                if reason or now - told > REPORT_SECONDS:
                    report(log.rows[-1])
                    told = now
            if due:
                save_checkpoint(checkpoint, training.networks, training.optimisers, progress)
                saved = now
            if reason or (progress["pictures"] % config.sheet_pictures < config.batch and now - drawn > SHEET_SECONDS):
                training.draw_sheet(batch, int(progress["pictures"]))
                log.draw_curves()
                drawn = now
            if reason == "interrupt":
                raise KeyboardInterrupt
            if reason:
                return Run(checkpoint, int(progress["pictures"]), reason)


def _open_run(training: Training, checkpoint: Path) -> Progress:
    """The progress of a new run, or of the one in the folder, whose state is read; the table in force is saved beside
    it."""
    config, table = training.config, training.config.run / "config.json"
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
    progress: Progress = {"pictures": 0, "seconds": 0.0, "total": math.nan, "best_total": math.inf}
    if checkpoint.exists():
        progress |= load_checkpoint(checkpoint, training.networks, training.optimisers)
    else:
        progress |= training.begin()
    note_dataset(progress, training.dataset)
    config.save(table)
    return progress | training.metadata()


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
