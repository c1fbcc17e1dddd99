"""A face is changed only with the consent of the people whose faces they are; every change rests on a record of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facechange.core import ConsentError, clean_line
from facechange.core.settings import ConsentSettings, load_settings
from facechange.trust.ledger import Ledger, Line
from facechange.trust.record import ID, WAYS, Record, hash_picture, name_recorder, new_id
from facechange.trust.standing import Standing, Standings, read_standings

LONGEST_CHARACTERS = 4000
RECORD_FIRST = "Record who agreed with facechange consent add, and give the record's number to --consent."
_KEYWORDS = {"self": "I am the person in these pictures.", "synthetic": "Nobody in these pictures exists."}


@dataclass(frozen=True)
class Grant:
    """Leave to make one change. Only `require_grant` makes one, and hands it to the work, which hands it to `publish`."""

    id: str  # of the record in the ledger, "fc-" and eight letters or digits
    statement: str  # one line, stored in the result; free of labels where a record says who agreed
    basis: str  # how consent was given: one of `record.WAYS`
    record_hash: str  # SHA-256, hexadecimal, of the record's line in the ledger
    persona: bool = False  # the identity is a synthetic person's


@dataclass(frozen=True)
class Request:
    """What is to be done: the words after `--consent`, and pictures by SHA-256 with the names they have here."""

    words: str  # one clean line
    sources: dict[str, str]
    targets: dict[str, str]
    purpose: str
    persona: bool


def require_grant(consent: str | None, sources: Sequence[Path], targets: Sequence[Path], purpose: str = "", persona: bool = False) -> Grant:
    """Leave to change `targets` with the identity in `sources`, for `purpose`; nothing else may begin before it.

    `consent` cites records by their numbers (fc-...), or is "self", "synthetic" or a statement, or both: the records then speak
    for the pictures in them and the statement for the other targets. A statement makes a record itself, once for the same pictures
    and words. With `persona` the identity is a synthetic person's, so that only the targets need a basis.

    Raises `ConsentError` where no consent is stated, where a record is unknown, withdrawn, expired or for something else, where
    consent for a picture was withdrawn before, and where the operator's settings ask for more; `PictureError` for a file that
    cannot be read; `SettingsError`.
    """
    words, purpose = clean_statement(consent), clean_line(purpose)
    policy = load_settings().consent
    _check_purpose(purpose, policy)
    hashed = [{hash_picture(path): path.name for path in paths} for paths in (sources, targets)]
    request = Request(words, hashed[0], hashed[1], purpose, persona)
    if ID.fullmatch(words):  # the ledger stays as it is, and may be one that can only be read
        line = _decide(request, policy, read_standings())
        assert isinstance(line, Line)
    else:
        line = Ledger().add(lambda lines, now: _decide(request, policy, Standings(lines, now)))
    record = line.entry
    assert isinstance(record, Record)
    return Grant(record.id, record.statement or _cite([record]), record.way, line.hash, persona)


def clean_statement(text: str | None) -> str:
    """A statement on one line, as it will be stored.

    Raises `ConsentError` where there is none, no word in it, or more than 4,000 characters.
    """
    statement = clean_line(text or "")
    if not any(character.isalnum() for character in statement):
        raise ConsentError(
            "A face may be changed only if the person whose face it becomes and the person in the picture agreed to it.",
            'Say who agreed, and to what: --consent "Ana Lima and I agreed to this on 3 May 2025". It is stored in the picture.',
        )
    if len(statement) > LONGEST_CHARACTERS:
        raise ConsentError(f"The statement of consent is longer than {LONGEST_CHARACTERS} characters.", "Say it in a few sentences.")
    return statement


def _decide(request: Request, policy: ConsentSettings, standings: Standings) -> Record | Line:
    """The line that already grants the request, or the record that will; raises `ConsentError` where neither may be."""
    numbers = tuple(dict.fromkeys(found.lower() for found in ID.findall(request.words)))
    words = ID.sub("", request.words).strip(" ,;:") if numbers else request.words
    if not any(character.isalnum() for character in words):
        words = ""
    cited = [_cited(standings, number, request.purpose) for number in numbers]
    _check_sources(request, policy, cited)
    _check_targets(request, policy, cited, words)
    if len(cited) == 1 and not words:
        return cited[0].line
    _check_withdrawn(standings, _beyond(request.sources, "sources", cited), _beyond(request.targets, "targets", cited))
    new = _state(request, cited, words, standings.now)
    for standing in standings.naming([*request.sources, *request.targets]):
        old = standing.record
        if standing.in_force and old == replace(new, id=old.id, recorded_by=old.recorded_by, recorded_at=old.recorded_at):
            return standing.line
    return new


def _state(request: Request, cited: list[Standing], words: str, now: str) -> Record:
    """A record of what was stated with a change."""
    keyword = words.lower() if words.lower() in _KEYWORDS else "statement"
    citation = _cite([standing.record for standing in cited])
    return Record(
        id=new_id(),
        who="",
        way=cited[0].record.way if cited else keyword,
        sources=tuple(sorted(request.sources)),
        targets=tuple(sorted(request.targets)),
        purpose=request.purpose,
        until="",
        release="",
        statement="; ".join(filter(None, [citation, _KEYWORDS.get(keyword, words)])),
        rests_on=tuple(standing.record.id for standing in cited),
        added=False,
        recorded_by=name_recorder(),
        recorded_at=now,
    )


def _cited(standings: Standings, reference: str, purpose: str) -> Standing:
    """The record that `reference` names, if it may be used for `purpose`."""
    standing = standings.find(reference)
    if standing is None:
        raise ConsentError(f"There is no record of consent {reference}.", "facechange consent list shows those there are.")
    if not standing.in_force:
        raise ConsentError(f"The consent {reference} {standing.reason}.", "Ask again, and record it anew with facechange consent add.")
    wanted = standing.record.purpose
    if wanted and wanted.casefold() != purpose.casefold():
        raise ConsentError(
            f'The consent {reference} was given for "{wanted}"{f", not for {purpose!r}" if purpose else ""}.',
            f'If that is what this is for, say so: --purpose "{wanted}".',
        )
    return standing


def _check_sources(request: Request, policy: ConsentSettings, cited: list[Standing]) -> None:
    """Cited records have to speak for every source."""
    if request.persona or not (cited or policy.source_record):
        return
    for name in _beyond(request.sources, "sources", cited, policy.source_record).values():
        if cited:
            raise ConsentError(f"The records given do not let {name} give the identity: it is not a source in them.", RECORD_FIRST)
        raise ConsentError(f"Here a picture that gives the identity needs a record of consent, and {name} has none.", RECORD_FIRST)


def _check_targets(request: Request, policy: ConsentSettings, cited: list[Standing], words: str) -> None:
    """Every target needs a record or the words of a statement; the operator may want a record."""
    for name in _beyond(request.targets, "targets", cited, policy.target_record).values():
        if policy.target_record:
            raise ConsentError(f"Here a picture that is changed needs a record of consent, and {name} has none.", RECORD_FIRST)
        if not words:
            raise ConsentError(
                f"The records given say nothing about the people in {name}.",
                f'Say how they agreed: --consent "{request.words}, everyone in the picture agreed on 3 May 2025".',
            )


def _beyond(pictures: dict[str, str], role: str, cited: list[Standing], added: bool = False) -> dict[str, str]:
    """Those of `pictures` for which no cited record speaks in this role (with `added`: none made by `facechange consent add`)."""
    spoken_for = {each for standing in cited if standing.record.added or not added for each in getattr(standing.record, role)}
    return {digest: name for digest, name in pictures.items() if digest not in spoken_for}


def _check_withdrawn(standings: Standings, sources: dict[str, str], targets: dict[str, str]) -> None:
    """Words alone do not bring back consent that was withdrawn."""
    for standing in standings.naming([*sources, *targets]):
        record = standing.record
        names = [sources[each] for each in record.sources if each in sources]
        names += [targets[each] for each in record.targets if each in targets]
        if standing.state == "withdrawn" and names:
            raise ConsentError(f"The consent {record.id} for {names[0]} {standing.reason}.", RECORD_FIRST)


def _check_purpose(purpose: str, policy: ConsentSettings) -> None:
    if policy.purposes and purpose.casefold() not in {each.casefold() for each in policy.purposes}:
        known = ", ".join(policy.purposes)
        said = f'"{purpose}" is no purpose for which' if purpose else "No purpose is stated, without which"
        raise ConsentError(f"{said} pictures may be changed here.", f"Give --purpose one of: {known}.")


def _cite(records: Sequence[Record]) -> str:
    """What a result says of records: their numbers and how consent was given, not who gave it."""
    return ", ".join(f"consent record {record.id} ({WAYS[record.way]})" for record in records)
