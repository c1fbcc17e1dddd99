"""A job done: library entries become files, the library calls what the command line calls, and the result goes back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from facechange.consent import Context
from facechange.core import FaceError, Outcome
from facechange.faces.select import EVERY_FACE, FaceSelector, parse_selectors
from facechange.images import WRITABLE_SUFFIXES, read_picture
from facechange.service.image_library import find_item
from facechange.service.queue import ReportProgress
from facechange.service.service import Service
from facechange.service.tables import Character, Item, Job
from facechange.swap import (
    PersonaAssignment,
    Swapper,
    change_photograph,
    load_swapper,
    publish_mask_sheet,
    request_change,
)
from facechange.swap.faces_sheet import explain_faces
from facechange.swap.outcomes import summarise, tabulate_all, tabulate_video
from facechange.swap.people import People
from facechange.swap.personas import new_persona, write_persona

LoadSwapper = Callable[[str], Swapper]  # by the model's name; kept warm by whoever gives it
DETECTION_MODEL = "facechange-256"  # only its finder is used
_VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".gif", ".webp", ".png")


@cache
def load_warm(model: str) -> Swapper:
    """A model for many runs, kept as long as the process lives."""
    return load_swapper(model, many_runs=True)


@dataclass(frozen=True)
class JobResult:
    """What a job came to."""

    path: Path | None = None  # the result; None of a look
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    summary: str = ""
    consent: str | None = None  # number of the record
    answer: dict[str, Any] | None = None


@dataclass(frozen=True)
class JobFiles:
    """A job's library entries as files in a folder of its own."""

    folder: Path
    paths: dict[str, Path]
    items: dict[str, Item]
    fence: int  # by which the result of one worker is not that of another

    @property
    def names(self) -> dict[str, str]:
        """What a sentence calls a file, and what the client calls it."""
        own = {path.name: self.items[each].name for each, path in self.paths.items() if each in self.items}
        return {f"{self.folder}/": "", **own}


def fetch_job_files(service: Service, job: Job, folder: Path) -> JobFiles:
    """The files of a job's entries; raises a `Problem` where one was deleted meanwhile, and what the store raises."""
    paths: dict[str, Path] = {}
    items: dict[str, Item] = {}
    with service.database.session(job.tenant) as session:
        characters = {each: session.get(Character, each) for each in job.uses if each.startswith("chr_")}
        for each in job.uses:
            if each not in characters:
                items[each] = find_item(session, each)
    for reference, item in items.items():
        paths[reference] = path = folder / f"{item.id}{item.suffix}"
        if not path.exists() or path.stat().st_size != item.bytes:
            part = folder / f"{item.id}.{job.fence}"  # a worker that is slow, not dead, may be reading there
            service.store.fetch(job.tenant, item.sha256, item.bytes, part)
            part.replace(path)
    for reference, character in characters.items():
        if character is not None and character.seed is not None:
            paths[reference] = path = folder / f"{reference}.persona"
            write_persona(new_persona(character.name, character.seed), path)
    return JobFiles(folder, paths, items, job.fence)


def perform(service: Service, job: Job, materials: JobFiles, load: LoadSwapper, report: ReportProgress) -> JobResult:
    """Do a job. Raises `FacechangeError`."""
    context = service.context_of(job.tenant)
    perform_kind = {
        "change": _change,
        "render": _change,
        "anonymization": _anonymize,
        "masks": _draw_masks,
        "faces": _find_faces,
        "verify": _verify,
    }[job.kind]
    return perform_kind(context, job, materials, load, report)


def _change(context: Context, job: Job, materials: JobFiles, load: LoadSwapper, report: ReportProgress) -> JobResult:
    request = job.request
    sources = tuple(tuple(materials.paths[each] for each in rule["sources"]) for rule in request["rules"])
    rules = tuple(tuple(_parse([rule["selector"]], materials)) for rule in request["rules"])
    people = People(sources, FaceSelector(rules))
    target = materials.paths[request["target"]]
    output = _result_path(materials, request["target"])
    given = context, people.files, target, output, request["consent"], request["purpose"]
    if materials.items[request["target"]].kind == "photograph":
        grant = request_change(*given)
        swapper = load(request["model"])
        published = change_photograph(
            swapper,
            people.assign(swapper),
            target,
            output,
            grant=grant,
            face=people.selection,
            strength=request["strength"],
            keep=request["keep"],
            beyond=request["beyond"] or "left",
        )
        notes = [str(error) for error in published.unmet.values()]
        return _tell(output, published.outcomes, False, grant.id, notes)
    from facechange.swap.video import VideoOptions, change_video, request_video_change

    grant = request_video_change(*given)
    swapper = load(request["model"])
    options = VideoOptions(
        face=people.selection,
        keep=request["keep"],
        strength=request["strength"],
        beyond=request["beyond"] or "faded",
        trim=request["trim"],
    )
    done = change_video(swapper, people.assign(swapper), target, output, grant=grant, options=options, report=report)
    rows = tabulate_video(done.faces, done.outcomes, False)["faces"]
    return JobResult(output, rows, _summarise_video(done, False), grant.id)


def _anonymize(context: Context, job: Job, materials: JobFiles, load: LoadSwapper, report: ReportProgress) -> JobResult:
    request = job.request
    target = materials.paths[request["target"]]
    output = _result_path(materials, request["target"])
    selected, all_but = request["only"] or request["all_but"], bool(request["all_but"])
    face = FaceSelector((tuple(_parse(selected, materials)),), all_but) if selected else EVERY_FACE
    assignment = PersonaAssignment(request["seed"])
    given: tuple[Any, ...] = context, [], target, output, request["consent"], request["purpose"], True
    if materials.items[request["target"]].kind == "photograph":
        grant = request_change(*given)
        swapper = load(request["model"])
        published = change_photograph(
            swapper, assignment, target, output, grant=grant, face=face, fallback=request["fallback"]
        )
        notes = [f"Taken away: {', '.join(published.taken_away)}."] if published.taken_away else []
        return _tell(output, published.outcomes, True, grant.id, notes)
    from facechange.swap.video import VideoOptions, change_video, request_video_change

    grant = request_video_change(*given)
    swapper = load(request["model"])
    options = VideoOptions(face=face, fallback=request["fallback"])
    done = change_video(swapper, assignment, target, output, grant=grant, options=options, report=report)
    rows = tabulate_video(done.faces, done.outcomes, True)["faces"]
    return JobResult(output, rows, _summarise_video(done, True), grant.id)


def _draw_masks(
    context: Context, job: Job, materials: JobFiles, load: LoadSwapper, report: ReportProgress
) -> JobResult:
    request = job.request
    source, target = (materials.paths[request[name]] for name in ("source", "target"))
    output = materials.folder / f"result-{materials.fence}.png"
    grant = request_change(context, [source], target, output, request["consent"], request["purpose"])
    face = FaceSelector((tuple(_parse([request["selector"]], materials)),))
    publish_mask_sheet(load(request["model"]), source, target, output, grant=grant, face=face)
    return JobResult(output, [], "masks of 1 face drawn", grant.id)


def _find_faces(
    context: Context, job: Job, materials: JobFiles, load: LoadSwapper, report: ReportProgress
) -> JobResult:
    picture = read_picture(materials.paths[job.request["picture"]])
    try:
        found = explain_faces(load(DETECTION_MODEL), picture, EVERY_FACE)
    except FaceError:
        found = []
    faces = [
        {
            "number": one.number or None,
            "box": [round(float(side), 1) for side in one.face.box],
            "points": [[round(float(x), 1), round(float(y), 1)] for x, y in one.face.points],
            "score": round(float(one.face.score), 3),
            "doubtful": one.face.doubtful,
            "skipped": one.skipped or None,
        }
        for one in found
    ]
    return JobResult(answer={"width": picture.width, "height": picture.height, "faces": faces})


def _verify(context: Context, job: Job, materials: JobFiles, load: LoadSwapper, report: ReportProgress) -> JobResult:
    from facechange.provenance.verify import examine
    from facechange.provenance.verify_words import describe_findings

    item = materials.items[job.request["file"]]
    findings = examine(context, materials.paths[item.id], load(DETECTION_MODEL).detect)
    details = {**asdict(replace(findings, file=item.name)), "as_signed": findings.is_as_signed}
    return JobResult(answer={"sentences": describe_findings(findings), **details})


def _parse(texts: Iterable[str], materials: JobFiles) -> Iterable[Any]:
    """Selectors, in which `like:` names a library entry."""
    for text in texts:
        for selector in parse_selectors(text):
            yield selector if selector.like is None else replace(selector, like=materials.paths[str(selector.like)])


def _result_path(materials: JobFiles, target: str) -> Path:
    """Of the target's kind where that can be written."""
    item = materials.items[target]
    if item.kind == "photograph":
        suffix = item.suffix if item.suffix in WRITABLE_SUFFIXES else ".png"
        return materials.folder / f"result-{materials.fence}{suffix}"
    # a video goes on from the journal beside it, whoever began it
    return materials.folder / f"result{item.suffix if item.suffix in _VIDEO_SUFFIXES else '.mp4'}"


def _tell(path: Path, outcomes: tuple[Outcome, ...], hides: bool, consent: str, notes: list[str]) -> JobResult:
    table = tabulate_all(outcomes, hides)["faces"]
    return JobResult(path, table, " ".join([f"{summarise(outcomes, hides)}.", *notes]), consent)


def _summarise_video(done: Any, hides: bool) -> str:
    parts = [f"{done.changed} of {done.frames} frames changed: {summarise(done.outcomes, hides)}."]
    parts += [f"No frame has a face for {selector}." for selector in done.unmet]
    parts += [f"Left out: {words}." for words in done.left_out]
    parts += [f"Taken away: {', '.join(done.taken_away)}."] if done.taken_away else []
    return " ".join(parts)
