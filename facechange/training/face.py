"""The face-change training loop: batches, steps, checkpoints, sheets, and when to stop (para. 94)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from facechange.core import TrainingError
from facechange.data.shards import load_faces
from facechange.model.discriminator import Discriminator
from facechange.model.face_changer import fix_masks
from facechange.model.growing import FinestLevel, grow_changer, grow_discriminator
from facechange.model.presets import find_preset
from facechange.training.checkpoint import load_checkpoint, load_part, read_checkpoint, save_checkpoint
from facechange.training.config import FaceConfig
from facechange.training.detail_step import DetailStep
from facechange.training.face_batch import make_batch
from facechange.training.face_step import FaceNetworks, FaceStep, build_networks
from facechange.training.interrupt import PatientInterrupt
from facechange.training.landmarks import load_landmark_network
from facechange.training.memory import prepare_device
from facechange.training.run_log import RunLog
from facechange.training.sheets import draw_sheet, grant_sheets
from facechange.training.starting import describe_stages, is_graph, load_face_changer, load_identity_network
from facechange.training.textures import load_textures

CHECKPOINT = "face.safetensors"
SMOOTHING = 0.98
LOG_STEPS = 20  # numbers are read from the device so often at most, because each reading waits for it
REPORT_SECONDS = 20
SHEET_SECONDS = 60
EXPLOSION = 8.0  # the smoothed total may grow this many times over its best before the run is stopped
SETTLED_STEPS = 200  # steps before the guard and the target range count
SMALLEST_KEPT = 128  # pictures are held at this size at least, because the identity crop is cut from them


@dataclass(frozen=True)
class FaceRun:
    """How a run ended."""

    checkpoint: Path
    pictures: int
    reason: str  # "pictures", "minutes" or "loss"


def train_face(config: FaceConfig, report: Callable[[dict[str, float]], None] = lambda row: None) -> FaceRun:
    """Train the face-change model, or go on with the run in `config.run` exactly where it stopped.

    `config.minutes` counts from this call, reading the faces and compiling included. Raises `TrainingError` where the data
    or a checkpoint do not fit, and, naming the last good checkpoint, where the loss is not finite or explodes;
    `ConsentError` where consent for its faces is withdrawn while sheets of them are drawn; `KeyboardInterrupt` once the step at hand
    is saved.
    """
    called = time.monotonic()
    device = prepare_device(config.device)
    torch.manual_seed(config.seed)
    faces = load_faces(config.train, max(config.size, SMALLEST_KEPT)).to(device)
    textures = None if config.backgrounds is None else load_textures(config.backgrounds, config.size).to(device)
    run, progress = _open_run(config)
    checkpoint, first, before = config.run / CHECKPOINT, int(progress["pictures"]), float(progress["seconds"])
    if first >= config.pictures:
        return FaceRun(checkpoint, first, "pictures")
    shown = grant_sheets(config.train)
    started = saved = told = drawn = time.monotonic()
    unread: list[dict[str, Tensor]] = []
    with RunLog(config.run, first) as log, PatientInterrupt() as interrupt:
        while True:
            step = int(progress["pictures"]) // config.batch
            batch = make_batch(faces, config, step, textures)
            unread.append(run.advance(batch, step))
            progress["pictures"] += config.batch
            now = time.monotonic()
            progress["seconds"] = before + now - started
            reason = "interrupt" if interrupt.asked else _reason_to_stop(config, progress, now - called)
            due = bool(reason) or now - saved > config.checkpoint_seconds
            if due or len(unread) == LOG_STEPS or now - told > REPORT_SECONDS:
                speed = (progress["pictures"] - first) / (now - started)
                log.add(_read_terms(unread, progress, config.batch, checkpoint) | {"pictures_per_second": speed})
                unread.clear()
                reason = reason or _reason_to_stop(config, progress, now - called)
                due = due or bool(reason)
                if reason or now - told > REPORT_SECONDS:
                    report(log.rows[-1])
                    told = now
            if due:
                save_checkpoint(checkpoint, run.networks.trained(), run.optimisers, progress)
                saved = now
            if reason or (progress["pictures"] % config.sheet_pictures < config.batch and now - drawn > SHEET_SECONDS):
                if shown is not None:
                    draw_sheet(config.run, run, batch, int(progress["pictures"]), shown)
                log.draw_curves()
                drawn = now
            if reason == "interrupt":
                raise KeyboardInterrupt
            if reason:
                return FaceRun(checkpoint, int(progress["pictures"]), reason)


def _open_run(config: FaceConfig) -> tuple[FaceStep, dict[str, Any]]:
    """Networks, optimisers and progress of a new run, of one that goes on, or of one that starts from another's weights."""
    landmarks = None if config.landmarks is None else load_landmark_network(config.landmarks)
    networks = build_networks(config, load_identity_network(config.identity), load_identity_network(config.recogniser), landmarks)
    run = _make_step(config, networks)
    progress: dict[str, Any] = {"pictures": 0, "seconds": 0.0, "total": math.nan, "best_total": math.inf, "earlier": []}
    if (config.run / CHECKPOINT).exists():
        progress |= load_checkpoint(config.run / CHECKPOINT, networks.trained(), run.optimisers)
    elif config.start_from is not None:
        progress["earlier"] = _start_from(config.start_from, run)
        if config.finest_from is not None:
            progress["finest_before"] = _carry_finest(config.finest_from, run)
    progress |= {name: getattr(config, name) for name in ("preset", "size", "window", "weights", "learning_rate", "face_median")}
    config.run.mkdir(parents=True, exist_ok=True)
    config.save(config.run / "config.json")
    return run, progress


def _make_step(config: FaceConfig, networks: FaceNetworks) -> FaceStep:
    if config.window is None:
        return FaceStep(config, networks)
    assert config.start_from is not None
    smaller = load_face_changer(config.start_from)
    if 2 * smaller.size_px != config.size:
        raise TrainingError(
            f"{config.start_from} is a model of {smaller.size_px} pixels.", f"With --window, start from one of {config.size // 2}."
        )
    return DetailStep(config, networks, smaller)


def _read_terms(unread: Sequence[dict[str, Tensor]], progress: dict[str, Any], batch: int, checkpoint: Path) -> dict[str, float]:
    """Fetch the terms of some steps from the device at once, watch every total, and give their means as a row of the log."""
    values = iter(torch.stack([value.float() for terms in unread for value in terms.values()]).tolist())
    rows = [dict(zip(terms, values, strict=False)) for terms in unread]
    seen = int(progress["pictures"])
    for number, row in enumerate(rows, 1 - len(rows)):
        _watch(row["total"], progress, seen + number * batch, batch, checkpoint)
    names = sorted({name for row in rows for name in row})
    return {"pictures": seen} | {name: fmean(row[name] for row in rows if name in row) for name in names}


def _watch(total: float, progress: dict[str, Any], pictures: int, batch: int, checkpoint: Path) -> None:
    """The stability guard: keep the smoothed total and stop a run that is lost."""
    if not math.isfinite(total):
        raise TrainingError(
            f"The loss is not finite after {pictures:,} pictures.",
            f"The last good checkpoint is {checkpoint}; go on from it with a lower learning rate.",
        )
    progress["total"] = total if math.isnan(progress["total"]) else SMOOTHING * progress["total"] + (1 - SMOOTHING) * total
    if pictures > SETTLED_STEPS * batch:
        progress["best_total"] = min(progress["best_total"], progress["total"])
        if progress["total"] > EXPLOSION * progress["best_total"]:
            raise TrainingError(
                f"The loss exploded to {progress['total']:.1f} after {pictures:,} pictures.",
                f"The last good checkpoint is {checkpoint}; go on from it with a lower learning rate.",
            )


def _reason_to_stop(config: FaceConfig, progress: dict[str, Any], seconds: float) -> str:
    if progress["pictures"] >= config.pictures:
        return "pictures"
    if seconds > config.minutes * 60:
        return "minutes"
    return "loss" if progress["best_total"] < math.inf and progress["total"] < config.loss_below else ""


def _start_from(path: Path, run: FaceStep) -> list[str]:
    """Carry over the weights of a checkpoint or graph of this or a lower measure; a grown model first gives the same pictures.

    On windows all but the finest measure stays the average, which is what the finest measure is shown. The discriminator starts
    afresh where the run left none, or one of windows. Returns the stages behind it, each described in words.
    """
    networks, config = run.networks, run.config
    for name, network in (("changer", networks.changer), ("average", networks.average)):
        torch.manual_seed(config.seed)  # the new layers of both start alike
        before = load_face_changer(path, name if config.window is None else "average")
        if before.preset != config.preset:
            raise TrainingError(f"{path} is of the preset {before.preset}.", f"Go on with --preset {before.preset}.")
        network.load_state_dict(grow_changer(before, config.size).state_dict())
        if not config.learn_masks:
            fix_masks(network)
    if not is_graph(path) and config.window is None and read_checkpoint(path)[1].get("window") is None:
        preset, size = find_preset(config.preset), int(read_checkpoint(path)[1]["size"])
        smaller = Discriminator(preset.discriminator_channels(size))
        load_part(path, "discriminator", smaller)
        networks.discriminator.load_state_dict(grow_discriminator(smaller, preset.discriminator_channels(config.size)).state_dict())
    return describe_stages(path)


def _carry_finest(path: Path, run: FaceStep) -> str:
    """Carry over the finest measure, and its discriminator, of a run on windows over another smaller model.

    Little of it depends on that model. Returns the stage that taught it, in words; raises `TrainingError`.
    """
    networks, config = run.networks, run.config
    progress = read_checkpoint(path)[1]
    if any(progress.get(name) != getattr(config, name) for name in ("preset", "size", "window")):
        raise TrainingError(
            f"{path} is no run of the preset {config.preset} on windows of {config.window} at {config.size} pixels.",
            "Give the checkpoint of such a run to --finest-from.",
        )
    before = FinestLevel(load_face_changer(path)).learned
    for network in (networks.changer, networks.average):
        for mine, theirs in zip(FinestLevel(network).learned, before, strict=True):
            mine.load_state_dict(theirs.state_dict())
    load_part(path, "discriminator", networks.discriminator)
    return describe_stages(path)[-1]
