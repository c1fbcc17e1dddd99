"""From a request to a job: what it names is looked up, the words of consent are there, and there is room for it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from facechange.consent.gate import check_sentence, clean_statement
from facechange.core.stored import parse_json
from facechange.service import queue
from facechange.service.audit import note
from facechange.service.image_library import find_item
from facechange.service.keys import Caller
from facechange.service.problems import Problem, not_found
from facechange.service.schemas import AnonymizationRequest, ChangeRequest
from facechange.service.service import Service
from facechange.service.tables import Character, Item, Job, TenantSession, new_id
from facechange.swap.anonymize import BASIS

PHOTO_MODEL, VIDEO_MODEL = "facechange-512", "facechange-256"
LOOK_SECONDS = 60.0
_LOOKS = ("faces", "verify")


@dataclass
class JobRequest:
    """What is to be done, with the references in `request` looked up."""

    kind: str
    request: dict[str, Any]
    target: Item | None = None
    uses: dict[str, Item | Character] = field(default_factory=dict)

    @property
    def lane(self) -> str:
        """Photographs do not wait behind videos."""
        return "slow" if self.target is not None and self.target.kind == "video" else "quick"


@dataclass(frozen=True)
class SubmissionTerms:
    """How it is to be done."""

    priority: int = 0
    webhook: str | None = None
    idempotency: str | None = None
    request_hash: str = ""


class Lookup:
    """References of one request in a tenant's library; each raises a `Problem` where it is not there."""

    def __init__(self, session: TenantSession) -> None:
        self._session = session
        self.uses: dict[str, Item | Character] = {}

    def photograph(self, reference: str) -> Item:
        """A picture that does not move."""
        item = self.item(reference)
        if item.kind != "photograph":
            raise Problem(422, f"{item.name} is a video.", "Give a photograph.", 3)
        return item

    def item(self, reference: str) -> Item:
        """Any entry."""
        self.uses[reference] = item = find_item(self._session, reference)
        return item

    def sources(self, references: Sequence[str]) -> list[str]:
        """Pictures of one person, or a character, who is a persona or the pictures of one."""
        found: list[str] = []
        for reference in references:
            if not reference.startswith("chr_"):
                found.append(self.photograph(reference).id)
                continue
            character = self._session.get(Character, reference)
            if character is None:
                raise not_found("character", reference)
            if character.seed is not None:
                self.uses[reference] = character
                found.append(reference)
            else:
                found += [self.photograph(each).id for each in character.sources]
        return found

    def selectors(self, texts: Iterable[str]) -> None:
        """The pictures of people in selectors, which are checked. Raises `FaceError`."""
        from facechange.faces.select import parse_selectors

        for text in texts:
            for selector in parse_selectors(text):
                if selector.like is not None:
                    self.photograph(str(selector.like))


def check_words(consent: str) -> str:
    """The words of consent on one line; raises `ConsentError` where they say nothing."""
    return check_sentence(clean_statement(consent))


def wish(kind: str, body: Any, lookup: Lookup, **more: Any) -> JobRequest:
    """The job that a request asks for. Raises a `Problem` where its target is not there."""
    target = lookup.item(body.target)
    default = VIDEO_MODEL if target.kind == "video" else PHOTO_MODEL
    words = BASIS if body.consent is None else check_words(body.consent)
    request = {**body.model_dump(mode="json"), "model": body.model or default, "consent": words, **more}
    return JobRequest(kind, parse_json(json.dumps(request)), target)


def wish_change(body: ChangeRequest, lookup: Lookup) -> JobRequest:
    """A change, its sources looked up and its selectors checked."""
    rules = [{"sources": lookup.sources(rule.sources), "selector": rule.selector} for rule in body.rules]
    lookup.selectors(rule.selector for rule in body.rules)
    return wish("change", body, lookup, rules=rules)


def wish_anonymization(body: AnonymizationRequest, lookup: Lookup) -> JobRequest:
    """An anonymisation, its selectors checked."""
    if body.only and body.all_but:
        raise Problem(422, "Either only some faces, or all but some.", "Give only or all_but.", 2)
    lookup.selectors([*body.only, *body.all_but])
    return wish("anonymization", body, lookup)


def hash_request(request: dict[str, Any], files: Iterable[str] = ()) -> str:
    """By which a repeated request is known: its words and its files' SHA-256."""
    return hashlib.sha256(json.dumps([request, sorted(files)], sort_keys=True).encode()).hexdigest()


def find_earlier(service: Service, caller: Caller, terms: SubmissionTerms) -> Job | None:
    """The job of an earlier request with the same `Idempotency-Key`. Raises a `Problem` where that was another
    request."""
    if terms.idempotency is None:
        return None
    with service.database.session(caller.tenant) as session:
        query = select(Job).where(Job.key == caller.key, Job.idempotency == terms.idempotency)
        job = session.scalar(query)
    if job is not None and job.request_hash != terms.request_hash:
        raise Problem(422, "That Idempotency-Key was used for another request.", "Use a new one.", 2)
    return job


def submit(
    service: Service,
    caller: Caller,
    wake: Callable[[], None],
    make: Callable[[Lookup], JobRequest],
    terms: SubmissionTerms = SubmissionTerms(),
) -> Job:
    """Accept a job, in one transaction with the look-ups; raises a `Problem` where it cannot be."""
    try:
        with service.database.session(caller.tenant) as session:
            lookup = Lookup(session)
            wish = make(lookup)
            queue.check_quota(session, caller.key, service.settings.jobs_per_key)
            items = [each for each in lookup.uses.values() if isinstance(each, Item)]
            job = Job(
                id=new_id("job"),
                tenant=caller.tenant,
                key=caller.key,
                kind=wish.kind,
                lane=wish.lane,
                priority=20 if wish.kind in _LOOKS else terms.priority,
                request=wish.request,
                idempotency=terms.idempotency,
                request_hash=terms.request_hash,
                uses=list(lookup.uses),
                used_hashes=sorted({item.sha256 for item in items}),
                target=wish.target.id if wish.target else None,
                webhook=terms.webhook,
            )
            session.add(job)
            note(session, caller.tenant, caller.key, wish.kind, job.id)
    except IntegrityError:
        earlier = find_earlier(service, caller, terms)
        if earlier is None:
            raise
        return earlier
    wake()
    return job


def wait_for(service: Service, tenant: str, job_id: str, seconds: float) -> Job:
    """The job, over or as it stands after so many seconds."""
    end, pause = time.monotonic() + seconds, 0.005
    while True:
        with service.database.session(tenant) as session:
            job = session.get(Job, job_id)
        if job is None:
            raise not_found("job", job_id)
        if job.state in queue.OVER or time.monotonic() > end:
            return job
        time.sleep(pause)
        pause = min(pause * 1.2, 0.05)


def raise_problem(job: Job) -> None:
    """Raise a failed job's problem."""
    if job.problem is not None:
        told = job.problem
        raise Problem(told["status"], told["detail"], told["remedy"], told["code"], X_Facechange_Job=job.id)


def look(
    service: Service, caller: Caller, wake: Callable[[], None], kind: str, name: str, item: Item
) -> dict[str, Any]:
    """What a worker sees in an entry: its faces, or what is known about the file."""

    def make(lookup: Lookup) -> JobRequest:
        return JobRequest(kind, {name: lookup.item(item.id).id})

    accepted = submit(service, caller, wake, make).id
    try:
        job = wait_for(service, caller.tenant, accepted, LOOK_SECONDS)
    finally:  # what was seen of people is nobody's business later
        with service.database.session(caller.tenant) as session:
            session.execute(delete(Job).where(Job.id == accepted))
    raise_problem(job)
    if job.answer is None:
        raise Problem(503, "No worker is free to look at it.", "Try again later.", 75, Retry_After="10")
    return job.answer
