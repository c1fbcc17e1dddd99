"""What requests and answers look like; the OpenAPI document is made of these."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from facechange.service.tables import Item, Job

MODELS = ("facechange-256", "facechange-512", "facechange-1024")
Model = Literal["facechange-256", "facechange-512", "facechange-1024"]
Scope = Literal["change", "library", "consent", "admin"]


def _need_text(value: Any) -> Any:
    if not isinstance(value, (str, date)):
        raise ValueError("a time is a text, such as 2027-05-31T12:00:00Z")
    return value


def _as_whole(value: Any) -> Any:
    """JSON knows no difference between 3 and 3.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


REFERENCE = r"^[A-Za-z0-9_.:-]+$"
Reference = Annotated[str, Field(min_length=1, max_length=64, pattern=REFERENCE)]
Moment = Annotated[AwareDatetime, BeforeValidator(_need_text), Field(strict=False)]
Day = Annotated[date, BeforeValidator(_need_text), Field(strict=False)]
Whole = Annotated[int, BeforeValidator(_as_whole)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=4000)]
Selector = Annotated[str, Field(min_length=1, max_length=200)]


class Body(BaseModel):
    """A request; what is unknown in it is an error, so that a misspelt wish is not passed over."""

    model_config = ConfigDict(extra="forbid", strict=True)


class LoginRequest(Body):
    key: Annotated[str, Field(max_length=200)]


class Session(BaseModel):
    tenant: str
    scopes: list[str]


class Rule(Body):
    """Who gives the identity, and whose faces become theirs."""

    sources: Annotated[list[Reference], Field(min_length=1, max_length=20)]
    selector: Selector = "all"


class ChangeRequest(Body):
    """A change of a photograph or a video."""

    target: Reference
    rules: Annotated[list[Rule], Field(min_length=1, max_length=50)]
    model: Model | None = None
    strength: Annotated[float, Field(ge=0, le=1.3)] = 1.0
    keep: Literal["mask", "crop"] = "mask"
    beyond: Literal["left", "faded", "covered"] | None = None
    trim: Annotated[str, Field(max_length=50)] | None = None
    consent: Text
    purpose: Annotated[str, Field(max_length=200)] = ""
    wait: bool = True
    priority: Annotated[Whole, Field(ge=-10, le=10)] = 0
    webhook: Annotated[str, Field(max_length=2000)] | None = None


class SetAnonymizationRequest(Body):
    """Everybody in every photograph and video of a set becomes somebody who does not exist."""

    seed: Annotated[Whole, Field(ge=0, le=2**31 - 1)] = 0
    fallback: Literal["blur", "mosaic", "box", "none"] = "blur"
    only: Annotated[list[Selector], Field(max_length=50)] = []
    all_but: Annotated[list[Selector], Field(max_length=50)] = []
    model: Model | None = None
    consent: Text | None = None
    purpose: Annotated[str, Field(max_length=200)] = ""
    priority: Annotated[Whole, Field(ge=-10, le=10)] = 0
    webhook: Annotated[str, Field(max_length=2000)] | None = None


class AnonymizationRequest(SetAnonymizationRequest):
    """Everybody in a photograph or a video becomes somebody who does not exist."""

    target: Reference
    wait: bool = True


class PreviewRequest(Body):
    """A few frames of a video changed before the whole: what will be asked for, either a change or an
    anonymisation."""

    frames: Annotated[Whole, Field(ge=1, le=8)] = 3
    change: ChangeRequest | None = None
    anonymization: AnonymizationRequest | None = None


class MasksRequest(Body):
    """The control masks of one change."""

    source: Reference
    target: Reference
    selector: Selector = "largest"
    model: Model | None = None
    consent: Text
    purpose: Annotated[str, Field(max_length=200)] = ""
    wait: bool = True
    priority: Annotated[Whole, Field(ge=-10, le=10)] = 0
    webhook: Annotated[str, Field(max_length=2000)] | None = None


class FacesRequest(Body):
    picture: Reference


class ItemPatch(Body):
    name: Name | None = None
    set: Reference | None = None
    expires: Moment | None = None


class SetRequest(Body):
    name: Name
    kind: Literal["person", "character"] = "person"


_PERSONA_OR_PERSON: list[Any] = [
    {
        "required": ["seed"],
        "properties": {
            "seed": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
            "sources": {"type": "array", "maxItems": 0},
        },
    },
    {
        "required": ["sources", "consent"],
        "properties": {"seed": {"type": "null"}, "sources": {"type": "array", "minItems": 1}},
    },
]


class CharacterRequest(Body):
    """A persona by its `seed`, or a person in `sources`, with their consent."""

    model_config = ConfigDict(json_schema_extra={"oneOf": _PERSONA_OR_PERSON})

    name: Name
    seed: Annotated[Whole, Field(ge=0, le=2**31 - 1)] | None = None
    sources: Annotated[list[Reference], Field(max_length=20)] = []
    consent: Text = ""


class RenderRequest(Body):
    """With whose consent, of the people who play, the pictures of the set are made."""

    consent: Text
    purpose: Annotated[str, Field(max_length=200)] = ""
    model: Model | None = None


class ConsentRequest(Body):
    """An agreement, as the command line's `consent add`."""

    pictures: Annotated[list[Reference], Field(min_length=1, max_length=100)]
    who: Annotated[str, Field(min_length=1, max_length=200)]
    role: Literal["source", "target", "both"] = "both"
    basis: Literal["self", "release", "synthetic", "public-domain"]
    release: Reference | None = None
    purpose: Annotated[str, Field(max_length=200)] = ""
    until: Day | None = None
    statement: Text = ""


class RevokeRequest(Body):
    reason: Annotated[str, Field(max_length=500)] = ""


class KeyRequest(Body):
    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1)]
    expires: Moment | None = None


class ItemAnswer(BaseModel):
    id: str
    name: str
    kind: str
    media_type: str
    sha256: str
    bytes: int
    width: int
    height: int
    seconds: float | None
    set: str | None
    owner: str
    consent: str | None
    job: str | None
    created: str
    expires: str | None


class ResumableUploadAnswer(BaseModel):
    id: str
    name: str
    length: int
    received: int
    item: str | None
    expires: str


class Page(BaseModel):
    items: list[dict[str, Any]]
    next: str | None


class AuditNote(BaseModel):
    id: int
    at: str
    key: str
    what: str
    about: str


class AuditPage(BaseModel):
    items: list[AuditNote]
    next: int | None


class Progress(BaseModel):
    done: int
    total: int
    seconds_left: float | None


class JobAnswer(BaseModel):
    id: str
    kind: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    progress: Progress
    target: str | None
    result: str | None
    outcomes: list[Any]
    summary: str
    problem: dict[str, Any] | None
    created: str
    started: str | None
    finished: str | None


class JobsAnswer(BaseModel):
    jobs: list[JobAnswer]


class PreviewFrame(BaseModel):
    seconds: float
    target: str
    job: JobAnswer


class PreviewAnswer(BaseModel):
    frames: list[PreviewFrame]


class ProblemAnswer(BaseModel):
    """RFC 9457, with the command line's remedy and exit code."""

    type: str
    title: str
    status: int
    detail: str
    remedy: str
    code: int


class DeletionAnswer(BaseModel):
    id: str
    sha256: str
    deleted: str


def format_time(seconds: float | None) -> str | None:
    """UTC, as 2025-05-03T10:00:00.125Z."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def describe_item(item: Item) -> dict[str, Any]:
    """An entry of the library, as answers show it."""
    names = (
        *("id", "name", "kind", "media_type", "sha256", "bytes", "width", "height", "seconds"),
        *("set", "owner", "consent", "job"),
    )
    times = {"created": format_time(item.created), "expires": format_time(item.expires)}
    return {**{name: getattr(item, name) for name in names}, **times}


def describe_job(job: Job, now: float) -> dict[str, Any]:
    """A job, as answers show it."""
    left = None
    if job.state == "running" and job.done and job.total and job.started:
        left = round((now - job.started) / job.done * (job.total - job.done), 1)
    names = ("id", "kind", "state", "target", "result", "outcomes", "summary", "problem")
    times = {name: format_time(getattr(job, name)) for name in ("created", "started", "finished")}
    progress = {"done": job.done, "total": job.total, "seconds_left": left}
    return {**{name: getattr(job, name) for name in names}, "progress": progress, **times}
