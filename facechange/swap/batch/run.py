"""Do one kind of work to every file of a folder: skip what is finished, survive what fails, go on after an
interruption."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facechange.core import (
    ContestedFaceError,
    FacechangeError,
    FaceError,
    OutputError,
    PictureError,
    StoppedError,
    is_out_of_memory,
    tell_refusal,
)
from facechange.core.files import check_place, plain_errors, write_whole
from facechange.swap.batch.find_files import Found, Target, find_targets
from facechange.swap.batch.journal import REPORT_NAME, Counts, Done, Entry, Journal, stamp
from facechange.swap.batch.names import DEFAULT_PATTERN, check_pattern, result_name
from facechange.swap.batch.page import PAGE_NAME, draw_page

# what to change, where to publish it => what became of it; raises FacechangeError
Work = Callable[[Target, Path], Done]
Report = Callable[[int, int], None]  # files done, files in all


@dataclass(frozen=True)
class Job:
    """One file that is left to do."""

    target: Target
    output: Path
    index: int


# does all jobs, in any order, and gives what became of each as soon as it is known
Perform = Callable[[Sequence[Job]], Generator[Entry, None, None]]


class FolderRun:
    """The files of a folder that are left to do. Made by `open_folder`."""

    def __init__(
        self, folder: Path, journal: Journal, jobs: list[Job], skipped: int, unreadable: dict[str, str]
    ) -> None:
        self.jobs = jobs
        self.skipped = skipped
        self._folder = folder
        self._journal = journal
        self._unreadable = unreadable

    @property
    def folder(self) -> Path:
        """What is changed."""
        return self._folder

    @property
    def output(self) -> Path:
        """Where the results go."""
        return self._journal.folder

    @property
    def targets(self) -> list[Path]:
        """What is going to be changed: ask for consent to all of it before `change`."""
        return [job.target.path for job in self.jobs]

    @property
    def failures(self) -> list[Entry]:
        """The files that have no result because something is wrong with them."""
        return [entry for entry in self._journal.entries if entry.state == "failed"]

    @property
    def noted(self) -> list[Entry]:
        """The files of which something did not come into the result."""
        return [entry for entry in self._journal.entries if entry.notes]

    def change(self, work: Work, report: Report = lambda done, total: None) -> Counts:
        """Do `work` to each file that is left, one after the other, and write the report beside the results.

        A file that fails is reported and never stops the others. Raises as `perform` does.
        """
        return self.perform(lambda jobs: (self.attempt(job, work) for job in jobs), report)

    def attempt(self, job: Job, work: Work, before: tuple[int, ...] | None = None) -> Entry:
        """Do `work` to one file, and say what became of it; only Ctrl-C gets through.

        `before` is the target's stamp when work on it began, where that was before this call.
        """
        return _attempt(job, self._journal.folder, work, stamp(job.target.path) if before is None else before)

    def perform(self, perform: Perform, report: Report = lambda done, total: None) -> Counts:
        """Let `perform` do each file that is left, and write the report beside the results.

        A file that fails is reported and never stops the others. Raises `StoppedError` on Ctrl-C, `OutputError` where
        the report cannot be written.
        """
        self.report()
        done = 0
        try:
            report(done, len(self.jobs))
            with closing(perform(self.jobs)) as entries:
                for entry in entries:
                    self._journal.note(entry)
                    done += 1
                    report(done, len(self.jobs))
        except (KeyboardInterrupt, StoppedError):
            raise StoppedError(
                f"Stopped after {done} of {len(self.jobs)} files.", "The same command goes on from there."
            ) from None
        finally:
            counts = self.report()
        return counts

    def report(self) -> Counts:
        """Write the report as it stands, and the page that shows it. Raises `OutputError`."""
        for name, reason in self._unreadable.items():
            self._journal.note(Entry(name, "", 0, "failed", message=reason))
        self._journal.save()
        page = self._journal.folder / PAGE_NAME
        with plain_errors(page):
            write_whole(
                draw_page(self._journal.entries, self._folder, self._journal.folder).encode("utf-8", "replace"), page
            )
        states = [entry.state for entry in self._journal.entries]
        not_all_changed = sum(entry.covered + entry.left > 0 for entry in self._journal.entries)
        unrecognisable = sum(entry.unrecognisable > 0 for entry in self._journal.entries)
        return Counts(
            states.count("done"),
            states.count("faceless"),
            states.count("failed"),
            self.skipped,
            not_all_changed,
            unrecognisable,
        )


def open_folder(
    folder: Path,
    output: Path,
    request: dict[str, Any],
    *,
    sources: Sequence[Path] = (),
    pattern: str = DEFAULT_PATTERN,
) -> FolderRun:
    """Look through `folder` and plan a result below `output` for every photograph and video in it, in folders of the
    same names.

    `request` is what the results depend on besides the files: a finished one is skipped as long as it stays the same.
    Nothing is written yet. Raises `PictureError` where there is nothing to change, `OutputError` where a result cannot
    be written, would overwrite one of the pictures to read, or where two would have one name.
    """
    check_pattern(pattern)
    found = find_targets(folder, output)
    if output.exists() and folder.samefile(output):
        raise OutputError(
            f"{output} is the folder to read.", "Write the results to another folder, so that the originals stay."
        )
    if not found.targets and not found.unreadable:
        raise PictureError(
            f"There is no photograph and no video in {folder}.", "Hidden files and linked folders do not count."
        )
    check_place(_first_existing(output) / REPORT_NAME)
    journal = Journal(output, {**request, "pattern": pattern})
    journal.keep([target.name for target in found.targets])
    jobs = _plan(found, output, pattern, sources[0].stem if sources else "", journal)
    _check_outputs(jobs, [*sources, *(target.path for target in found.targets)])
    left = [job for job in jobs if not journal.is_finished(job.target.name, job.target.path)]
    return FolderRun(folder, journal, left, len(jobs) - len(left), found.unreadable)


def _plan(found: Found, output: Path, pattern: str, source_name: str, journal: Journal) -> list[Job]:
    """A job for every target. A file keeps the number that it had in an earlier run."""
    known = {entry.target: entry.index for entry in journal.entries}
    fresh = max(known.values(), default=0)
    jobs = []
    for target in found.targets:
        index = known.get(target.name, 0)
        if not index:
            index = fresh = fresh + 1
        name = result_name(pattern, target.path, target.moving, index, source_name)
        jobs.append(Job(target, output / Path(target.name).parent / name, index))
    return jobs


def _check_outputs(jobs: list[Job], inputs: list[Path]) -> None:
    """Raise `OutputError` where a result would overwrite another or one of `inputs`, through links too."""
    read = {os.path.realpath(path) for path in inputs}
    taken: dict[str, str] = {}
    for job in jobs:
        place = os.path.realpath(job.output)
        if place in read:
            raise OutputError(
                f"{job.output} is one of the files to read.",
                "Write the results to another folder, so that the originals stay.",
            )
        other = taken.setdefault(os.path.normcase(place), job.target.name)
        if other != job.target.name:
            raise OutputError(
                f"The results of {other} and {job.target.name} would both be {job.output.name}.",
                "Tell them apart with {index} in --output-pattern.",
            )


def _attempt(job: Job, folder: Path, work: Work, before: tuple[int, ...]) -> Entry:
    """Do `work` to one file; only Ctrl-C gets through."""
    name, output = job.target.name, job.output.relative_to(folder).as_posix()
    started = time.perf_counter()

    def entry(state: str, done: Done | None = None, message: str = "") -> Entry:
        seconds = round(time.perf_counter() - started, 3)
        written = stamp(job.output) if state == "done" else ()
        counted = asdict(done or Done())
        return Entry(name, output, job.index, state, message, seconds, before, written, **counted)  # type: ignore[arg-type]

    try:
        with plain_errors(job.output):
            job.output.parent.mkdir(parents=True, exist_ok=True)
        return entry("done", work(job.target, job.output))
    except StoppedError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            return entry("failed", message="There is not enough memory for it.")
        if isinstance(error, FacechangeError):
            faceless = isinstance(error, FaceError) and not isinstance(error, ContestedFaceError)
            return entry("faceless" if faceless else "failed", message=str(error))
        if isinstance(error, OSError):
            return entry("failed", message=tell_refusal(error))
        # a bug, but one in the way of one file only; the report names it
        return entry("failed", message=f"This is a bug in facechange ({type(error).__name__}: {error}).")


def _first_existing(folder: Path) -> Path:
    """`folder`, or the nearest folder above it that is there."""
    return next((each for each in (folder, *folder.absolute().parents) if each.exists()), folder)
