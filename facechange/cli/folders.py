"""What `batch` and `anonymize` share: change every file of a folder, and say what became of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from facechange.cli.cluster import RayRequest, reaching, working
from facechange.cli.console import counting, say, tell_used, waiting

if TYPE_CHECKING:
    from facechange.consent import Grant
    from facechange.consent.record import Digests
    from facechange.core import ModelCard
    from facechange.scale import Mirror, WorkerPool
    from facechange.swap.assignment import IdentityAssignment
    from facechange.swap.batch import ChangeOptions, Counts, FolderRun
    from facechange.swap.swapper import Swapper

EXIT_SOME_FAILED = 1


@dataclass(frozen=True)
class FolderRequest:
    """A folder to change."""

    folder: Path
    output: Path
    sources: Sequence[Path]
    consent: str | None
    purpose: str
    persona: bool | None  # the identities are synthetic people's; by the sources, where None
    pattern: str
    ray: RayRequest | None = None  # the cluster that changes it
    shown: str = ""  # what the results' folder is called, where `output` stands for an address


def change_addresses(folder: str, output: str, change: Callable[[Path, Path, Mirror], None], ray: bool) -> None:
    """`change` the folder at an address, or into one: given two folders of this machine that stand for them."""
    from facechange.cli.extras import need_scale

    if not ray:
        raise typer.BadParameter(
            "Folders at addresses are changed by a cluster; --ray local is one.", param_hint="--ray"
        )
    need_scale()
    from facechange.scale import mirrored

    with ExitStack() as stack:
        with waiting("Reading the folder"):
            mirror = stack.enter_context(mirrored(folder, output))
        change(mirror.folder, mirror.output, mirror)


def _change(
    run: FolderRun,
    grant: Grant,
    card: ModelCard,
    assignment: IdentityAssignment,
    options: ChangeOptions,
    tell: Callable[[set[str]], None],
    swapper: Swapper,
    pool: WorkerPool | None,
    mirror: Mirror | None,
    report: Callable[[int, int], None],
) -> Counts:
    """Here, one file after the other, or by the workers of `pool`."""
    from facechange.swap.batch import change_work

    if pool is None:
        return run.change(change_work(swapper, assignment, grant, options, tell), report)
    from facechange.scale import FolderWork, Mirror, SharedSwapper, change_on_cluster

    videos = change_work(SharedSwapper(swapper, pool), assignment, grant, options, tell)
    mirror = mirror or Mirror(run.folder, run.output, None, None)
    spread = FolderWork(run, grant, card, assignment, options, tell, mirror)
    try:
        return run.perform(change_on_cluster(pool, spread, videos), mirror.reporting(report))
    finally:
        mirror.deliver_report()


def change_folder(
    request: FolderRequest,
    describe: Callable[[Digests], dict[str, Any]],
    make_assignment: Callable[[Swapper], IdentityAssignment],
    options: ChangeOptions,
    model: str,
    threads: int | None,
    engine: str,
    threshold: float | None,
    verbose: bool,
    mirror: Mirror | None = None,
) -> None:
    """Change what is left to change of a folder; `describe` is what `IdentityAssignment.describe` will be.

    Exits with 1 where a file failed, with `EXIT_NOT_ALL_CHANGED` where a face was covered or left.
    """
    from facechange.consent import load_context
    from facechange.core import load_card
    from facechange.runtime import graph_path
    from facechange.swap import load_swapper
    from facechange.swap.assignment import grant_change
    from facechange.swap.batch import describe_changes, open_folder

    started, context = time.perf_counter(), load_context()
    card = load_card(graph_path(model).with_suffix(".json"))
    digests = context.digests
    described = describe_changes(digests, describe(digests), card, options, request.consent, request.purpose)
    described |= {"detector_threshold": threshold}
    with waiting("Looking through the folder"):
        run = open_folder(request.folder, request.output, described, sources=request.sources, pattern=request.pattern)
    unmet: list[set[str]] = []  # of each file that was changed, the selectors that named nobody in it
    if run.jobs:
        here = [] if mirror and mirror.inputs else [request.folder, run.targets[0]]
        with reaching(request.ray, [*here, *options.face.likes]) as cluster:
            with waiting("Loading the model"):
                grant = grant_change(
                    context, request.consent, request.sources, run.targets, request.purpose, request.persona
                )
                swapper = load_swapper(model, threads, engine, True, threshold)
                assignment = make_assignment(swapper)
            if verbose:
                tell_used(swapper, grant)
            change = partial(_change, run, grant, card, assignment, options, unmet.append)
            with (
                working(request.ray, cluster, load_swapper, model, threads, engine, threshold) as pool,
                counting("Changing the folder") as report,
            ):
                counts = change(swapper, pool, mirror, report)
    else:
        counts = run.report()
    _tell(run, counts, unmet, request.shown or str(request.output), time.perf_counter() - started)


def _tell(run: FolderRun, counts: Counts, unmet: list[set[str]], shown: str, seconds: float) -> None:
    """Say what became of a folder, and end with the exit code that says so."""
    from facechange.core import EXIT_NOT_ALL_CHANGED
    from facechange.swap.batch.page import PAGE_NAME

    for entry in run.failures:
        say(f"{entry.target}: {entry.message}", err=True)
    for entry in run.noted:
        say(f"{entry.target}: {', '.join(entry.notes)}.", err=True)
    for selector in sorted(set.intersection(*unmet)) if unmet and not counts.skipped else []:
        say(f"No file has a face for {selector}.", err=True)
    earlier = f" ({counts.skipped} of them before)" if counts.skipped else ""
    say(
        f"{shown}: {counts.done} changed, {counts.faceless} without such a face, {counts.failed} failed{earlier} "
        f"in {seconds:.1f} s; {shown}/{PAGE_NAME} shows them"
    )
    if counts.not_all_changed:
        say(
            f"In {counts.not_all_changed} of them a face was covered or left, because no change made it unlike the person."
        )
    if counts.unrecognisable:
        say(f"In {counts.unrecognisable} of them a face was changed, but not recognisably.")
    if counts.failed:
        raise typer.Exit(EXIT_SOME_FAILED)
    if counts.not_all_changed:
        raise typer.Exit(EXIT_NOT_ALL_CHANGED)
