"""A face is changed only with the consent of the people whose faces they are; every change rests on a record of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from facechange.consent.context import Context
from facechange.consent.ledger import Line
from facechange.consent.record import BASES, ID, Record, name_recorder, new_id
from facechange.consent.status import Status, Statuses, read_statuses
from facechange.core import ConsentError, clean_line
from facechange.core.settings import ConsentSettings

LONGEST_CHARACTERS = 4000
RECORD_FIRST = "Record who agreed with facechange consent add, and give the record's number to --consent."
EXAMPLE = '--consent "Ana Lima and I agreed to this on 3 May 2025"'
_KEYWORDS = {"self": "I am the person in these pictures.", "synthetic": "Nobody in these pictures exists."}
_EVALUATION = "evaluation"  # the way, the purpose and the words of `require_evaluation_grant`
_EVALUATED = "A model's results on the faces of a data set, made to see what the model does."
LEAST_UNSPACED = 6  # letters that make a sentence in writing that puts no spaces between words


@dataclass(frozen=True)
class Grant:
    """Leave to make one change of certain files. Only `require_grant` makes one, and hands it to the work, which hands
    it to `publish`."""

    context: Context = field(repr=False, compare=False)  # in which it was given, and in which it is published
    id: str  # of the record in the ledger, "fc-" and eight letters or digits
    statement: str  # one line, stored in the result; free of labels where a record says who agreed
    basis: str  # how consent was given: one of `record.BASES`
    record_hash: str  # SHA-256, hexadecimal, of the record's line in the ledger
    persona: bool = False  # the identity is a synthetic person's
    # SHA-256 of the pictures that it is about: the names they have here
    sources: dict[str, str] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)
    personas: frozenset[str] = frozenset()  # SHA-256 of kept personas among the sources, for which nobody has to agree
    lines: int = 0  # in the ledger when it was given


@dataclass(frozen=True)
class Request:
    """What is to be done: the words after `--consent`, and pictures by SHA-256 with the names they have here."""

    words: str  # one clean line
    sources: dict[str, str]
    targets: dict[str, str]
    purpose: str
    persona: bool
    evaluation: bool = False  # on the basis of `require_evaluation_grant`


def require_grant(
    context: Context,
    consent: str | None,
    sources: Sequence[Path],
    targets: Sequence[Path],
    purpose: str = "",
    persona: bool = False,
    personas: Sequence[Path] = (),
) -> Grant:
    """Leave to change `targets` with the identity in `sources`, for `purpose`; nothing else may begin before it.

    `consent` cites records by their numbers (fc-...), or is "self", "synthetic" or a statement, or both: the records
    then speak for the pictures in them and the statement for the other targets. A statement makes a record itself, once
    for the same pictures and words. With `persona` the identity is a synthetic person's, so that only the targets need
    a basis; `personas` are files of such people beside real ones.

    Raises `ConsentError` where no consent is stated, or in one word, where a record is unknown, revoked, expired or for
    something else, where consent for a picture was revoked before, and where the operator's settings ask for more;
    `PictureError` for a file that cannot be read; `SettingsError`.
    """
    words, purpose = clean_statement(consent), clean_line(purpose)
    check_sentence(words)
    _check_purpose(purpose, context.settings.consent)
    request = Request(words, _hash_all(context, sources), _hash_all(context, targets), purpose, persona)
    return replace(_grant(context, request), personas=frozenset(_hash_all(context, personas)))


def require_evaluation_grant(context: Context, data: Sequence[Path]) -> Grant:
    """Leave to show what a model makes of the faces of a data set, in training or while it is measured; `data` are its
    lists.

    Nobody states anything: whoever made the set answers for its pictures, and the record says so. It is made once for
    the same lists. Raises as `require_grant`: consent for a list can be revoked, and the operator's settings can ask
    for a record of it, or name purposes without "evaluation".
    """
    _check_purpose(_EVALUATION, context.settings.consent)
    lists = _hash_all(context, data)
    return _grant(context, Request(_EVALUATION, lists, lists, _EVALUATION, persona=False, evaluation=True))


def _grant(context: Context, request: Request) -> Grant:
    known = 0  # lines of the ledger

    def decide(lines: list[Line], now: str) -> Record | Line:
        nonlocal known
        known = len(lines)
        return _decide(request, context.settings.consent, Statuses(lines, now))

    if ID.fullmatch(request.words):  # the ledger stays as it is, and may be one that can only be read
        statuses = read_statuses(context.ledger)
        line = decide(statuses.lines, statuses.now)
        assert isinstance(line, Line)
    else:
        line = context.ledger.add(decide)
    record = line.entry
    assert isinstance(record, Record)
    statement = record.statement or _cite([record])
    return Grant(
        context,
        record.id,
        statement,
        record.basis,
        line.hash,
        request.persona,
        request.sources,
        request.targets,
        lines=max(known, line.number),
    )


def check_agreed(grant: Grant, targets: Sequence[Path], sources: Sequence[Path]) -> None:
    """Raise `ConsentError` where one of these files is not, byte for byte, one that `grant` is about; no unchanged file
    is read again."""
    digests = grant.context.digests
    for path, agreed in [(path, grant.targets) for path in targets] + [
        (path, {*grant.sources, *grant.personas}) for path in sources
    ]:
        if digests.of(path) not in agreed:
            raise ConsentError(
                f"{path.name} is not the file that the consent {grant.id} was given for, so that the result is not published.",
                "It was changed or replaced meanwhile: begin again.",
            )


def check_still_held(grant: Grant) -> None:
    """Raise `ConsentError` where `grant` no longer holds, as long work is published when it is done.

    That is so where its record was revoked, has ended or left the ledger, and where since then any other record was
    revoked of which the same pictures are sources, or targets.
    """
    statuses = read_statuses(grant.context.ledger)
    status = statuses.find(grant.record_hash)
    if status is None:
        raise ConsentError(
            f"The consent {grant.id} is no longer in this computer's ledger, so that the result is not published."
        )
    if not status.in_force:
        raise ConsentError(f"The consent {grant.id} {status.reason}, so that the result is not published.")
    if len(statuses.lines) == grant.lines:
        return
    before = Statuses(statuses.lines[: grant.lines], statuses.now)
    for other, name in _revoked(statuses, grant.sources, grant.targets):
        then = before.find(other.record.id)
        if then is None or then.state != "revoked":
            raise ConsentError(
                f"The consent {other.record.id} for {name} {other.reason}, so that the result is not published."
            )


def _hash_all(context: Context, paths: Sequence[Path]) -> dict[str, str]:
    return {context.digests.of(path): path.name for path in paths}


def clean_statement(text: str | None) -> str:
    """A statement on one line, as it will be stored.

    Raises `ConsentError` where there is none, no word in it, or more than 4,000 characters.
    """
    statement = clean_line(text or "")
    if not any(character.isalnum() for character in statement):
        raise ConsentError(
            "A face may be changed only if the person whose face it becomes and the person in the picture agreed to it.",
            f"Say who agreed, and to what: {EXAMPLE}. It is stored in the picture.",
        )
    if len(statement) > LONGEST_CHARACTERS:
        raise ConsentError(
            f"The statement of consent is longer than {LONGEST_CHARACTERS} characters.", "Say it in a few sentences."
        )
    return statement


def check_sentence(statement: str) -> str:
    """`statement` as it is; raises `ConsentError` where it, besides records' numbers, is one word that says nothing,
    such as yes."""
    _, words = _split(statement)
    said = [word for word in words.split() if any(character.isalnum() for character in word)]
    unspaced = sum(character.isalpha() and character.lower() == character.upper() for character in words)
    if len(said) == 1 and unspaced < LEAST_UNSPACED and words.lower() not in _KEYWORDS:
        keywords = 'Of your own pictures say "self", of people who do not exist "synthetic".'
        raise ConsentError(
            f'"{words}" does not say who agreed, and to what.', f"Say it in a sentence: {EXAMPLE}. {keywords}"
        )
    return statement


def _split(statement: str) -> tuple[tuple[str, ...], str]:
    """The numbers of records in a statement, and its other words; empty where it has none."""
    numbers = tuple(dict.fromkeys(found.lower() for found in ID.findall(statement)))
    words = ID.sub("", statement).strip(" ,;:") if numbers else statement
    return numbers, words if any(character.isalnum() for character in words) else ""


def _decide(request: Request, policy: ConsentSettings, statuses: Statuses) -> Record | Line:
    """The line that already grants the request, or the record that will; raises `ConsentError` where neither may be."""
    numbers, words = _split(request.words)
    cited = [_cited(statuses, number, request.purpose) for number in numbers]
    _check_sources(request, policy, cited)
    _check_targets(request, policy, cited, words)
    if len(cited) == 1 and not words:
        return cited[0].line
    _check_revoked(statuses, _beyond(request.sources, "sources", cited), _beyond(request.targets, "targets", cited))
    new = _state(request, cited, words, statuses.now)
    for status in statuses.naming([*request.sources, *request.targets]):
        old = status.record
        if status.in_force and old == replace(new, id=old.id, recorded_by=old.recorded_by, recorded_at=old.recorded_at):
            return status.line
    return new


def _state(request: Request, cited: list[Status], words: str, now: str) -> Record:
    """A record of what was stated with a change."""
    keyword = words.lower() if words.lower() in _KEYWORDS else "statement"
    citation = _cite([status.record for status in cited])
    basis = _EVALUATION if request.evaluation else cited[0].record.basis if cited else keyword
    said = _EVALUATED if request.evaluation else _KEYWORDS.get(keyword, words)
    return Record(
        id=new_id(),
        who="",
        basis=basis,
        sources=tuple(sorted(request.sources)),
        targets=tuple(sorted(request.targets)),
        purpose=request.purpose,
        until="",
        release="",
        statement="; ".join(filter(None, [citation, said])),
        rests_on=tuple(status.record.id for status in cited),
        added=False,
        recorded_by=name_recorder(),
        recorded_at=now,
    )


def _cited(statuses: Statuses, reference: str, purpose: str) -> Status:
    """The record that `reference` names, if it may be used for `purpose`."""
    status = statuses.find(reference)
    if status is None:
        raise ConsentError(
            f"There is no record of consent {reference}.", "facechange consent list shows those there are."
        )
    if not status.in_force:
        raise ConsentError(
            f"The consent {reference} {status.reason}.", "Ask again, and record it anew with facechange consent add."
        )
    wanted = status.record.purpose
    if wanted and wanted.casefold() != purpose.casefold():
        raise ConsentError(
            f'The consent {reference} was given for "{wanted}"{f", not for {purpose!r}" if purpose else ""}.',
            f'If that is what this is for, say so: --purpose "{wanted}".',
        )
    return status


def _check_sources(request: Request, policy: ConsentSettings, cited: list[Status]) -> None:
    """Cited records have to speak for every source."""
    if request.persona or not (cited or policy.source_record):
        return
    for name in _beyond(request.sources, "sources", cited, policy.source_record).values():
        if cited:
            raise ConsentError(
                f"The records given do not let {name} give the identity: it is not a source in them.", RECORD_FIRST
            )
        raise ConsentError(
            f"Here a picture that gives the identity needs a record of consent, and {name} has none.", RECORD_FIRST
        )


def _check_targets(request: Request, policy: ConsentSettings, cited: list[Status], words: str) -> None:
    """Every target needs a record or the words of a statement; the operator may want a record."""
    for name in _beyond(request.targets, "targets", cited, policy.target_record).values():
        if policy.target_record:
            raise ConsentError(
                f"Here a picture that is changed needs a record of consent, and {name} has none.", RECORD_FIRST
            )
        if not words:
            raise ConsentError(
                f"The records given say nothing about the people in {name}.",
                f'Say how they agreed: --consent "{request.words}, everyone in the picture agreed on 3 May 2025".',
            )


def _beyond(pictures: dict[str, str], role: str, cited: list[Status], added: bool = False) -> dict[str, str]:
    """Those of `pictures` for which no cited record speaks in this role (with `added`: none made by `facechange consent
    add`)."""
    spoken_for = {each for status in cited if status.record.added or not added for each in getattr(status.record, role)}
    return {digest: name for digest, name in pictures.items() if digest not in spoken_for}


def _check_revoked(statuses: Statuses, sources: dict[str, str], targets: dict[str, str]) -> None:
    """Words alone do not bring back consent that was revoked."""
    for status, name in _revoked(statuses, sources, targets):
        raise ConsentError(f"The consent {status.record.id} for {name} {status.reason}.", RECORD_FIRST)


def _revoked(statuses: Statuses, sources: dict[str, str], targets: dict[str, str]) -> Iterator[tuple[Status, str]]:
    """The records that were revoked for one of these pictures in its role, with that picture's name."""
    for status in statuses.naming([*sources, *targets]):
        record = status.record
        names = [sources[each] for each in record.sources if each in sources]
        names += [targets[each] for each in record.targets if each in targets]
        if status.state == "revoked" and names:
            yield status, names[0]


def _check_purpose(purpose: str, policy: ConsentSettings) -> None:
    if policy.purposes and purpose.casefold() not in {each.casefold() for each in policy.purposes}:
        known = ", ".join(policy.purposes)
        said = f'"{purpose}" is no purpose for which' if purpose else "No purpose is stated, without which"
        raise ConsentError(f"{said} pictures may be changed here.", f"Give --purpose one of: {known}.")


def _cite(records: Sequence[Record]) -> str:
    """What a result says of records: their numbers and how consent was given, not who gave it."""
    return ", ".join(f"consent record {record.id} ({BASES[record.basis]})" for record in records)
