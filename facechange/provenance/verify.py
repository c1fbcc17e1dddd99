"""Examine a file: what its content credentials, its watermark, its metadata and the consent ledger say about it, and
what each is worth."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from facechange.consent.context import Context
from facechange.consent.status import look_up
from facechange.core import ConsentError, Face, PictureError
from facechange.images import read_picture, read_xmp
from facechange.images.kinds import is_video
from facechange.images.media import open_media
from facechange.provenance.credentials import ELSEWHERE, Credentials, read_credentials, read_store, sidecar_of
from facechange.provenance.manifest import CHANGE_LABEL, WATERMARK_ALGORITHM, identifier_text
from facechange.provenance.registry import recall
from facechange.provenance.statement import parse_source_type, parse_statement
from facechange.provenance.watermark import find_watermark

Detect = Callable[[np.ndarray], Sequence[Face]]
UNTRUSTED = "signingCredential.untrusted"
LONGEST_STATEMENT = 1000  # characters of an unsigned statement
SOFT_BINDING = "c2pa.soft-binding"
LARGEST_SIDECAR_BYTES = 64 << 20
FRAMES_AT_MOST = 8
KEY_FRAMES_PASSED = 4  # between two looks


@dataclass(frozen=True)
class Signed:
    """What one manifest says, and how far that can be relied on."""

    found_in: Literal["file", "sidecar", "registry"]  # the registry: of a published file that had the same watermark
    intact: bool | None  # nothing changed since it was signed; None where there is no file to hold against it
    problems: tuple[str, ...]  # C2PA's codes, but for a signer nobody vouches for
    signer: str
    signed_here: bool  # with a key of this computer's
    trusted: bool  # an authority that the reader named vouches for the signer
    time_stamp: str  # empty where there is none
    time_stamp_trusted: bool  # an authority that the reader named vouches for who stamped it
    said_time: str  # by the signer's own clock
    generator: str
    source_types: tuple[str, ...]  # last parts of IPTC's digital source types
    model: dict[str, str] = field(default_factory=dict)  # name, version, sha256; facechange's manifests only
    consent: dict[str, str] = field(default_factory=dict)  # id, basis, record_sha256; likewise
    watermark: str = ""  # the identifier that it names
    earlier: tuple[str, ...] = ()  # generators of the manifests that it builds on


@dataclass(frozen=True)
class Findings:
    """All that is known about a file; every part empty where nothing is."""

    file: str
    sha256: str
    signed: Signed | None = None
    broken: str = ""  # why credentials that are there cannot be understood
    watermark: str = ""  # the identifier found in its faces
    watermark_sought: bool = False
    consent_state: str = ""  # "in force", "expired", "revoked", "unproven", "not in this ledger", "ledger unusable"
    consent_reason: str = ""
    statement: dict[str, str] = field(default_factory=dict)  # unsigned, from XMP
    source_type: str = ""  # unsigned, from XMP

    @property
    def is_as_signed(self) -> bool:
        """Whether no credentials speak against the file: none that are broken, of another file, or silent about its
        watermark."""
        if self.signed is None or self.broken:
            return self.broken in ("", ELSEWHERE)
        named, kept = self.signed.watermark, self.signed.earlier  # earlier credentials, which they keep, may name it
        passed_over = self.watermark and self.watermark != named and (named or not kept)
        return self.signed.intact is not False and not passed_over


def examine(context: Context, path: Path, detect: Detect | None = None, trusted: str = "") -> Findings:
    """What there is to be known about a picture or video, without asking anyone outside this computer.

    `detect` finds faces in a picture [H, W, 3] uint8, for the watermark; without it none is sought. `trusted` are PEM
    certificates of authorities whose word the reader takes. Raises `PictureError` where the file cannot be read at all.
    """
    sha256 = context.digests.of(path)
    signed, broken = _find_signed(context, path, trusted)
    try:
        frames, packet = _open_media(path, with_frames=detect is not None)
    except PictureError:
        if not signed and not broken:
            raise  # neither a picture nor anything else that is known
        frames, packet = (), None
    watermark, sought = _seek_watermark(frames, detect)
    if (
        watermark is not None
        and signed is None
        and (store := recall(context.folders.data, watermark))
        and (found := read_store(store))
    ):
        signed = _summarise(found, "registry", signed_here=True)
    state, reason = _consent_status(context, signed)
    return Findings(
        file=path.name,
        sha256=sha256,
        signed=signed,
        broken=broken,
        watermark="" if watermark is None else identifier_text(watermark),
        watermark_sought=sought,
        consent_state=state,
        consent_reason=reason,
        statement={key: _text(value, LONGEST_STATEMENT) for key, value in parse_statement(packet).items()},
        source_type=_text(parse_source_type(packet)),
    )


def _open_media(path: Path, with_frames: bool) -> tuple[Iterable[np.ndarray], bytes | None]:
    """The frames [H, W, 3] uint8 to look for a watermark in, and a picture's XMP packet."""
    with path.open("rb") as file:
        if is_video(file.read(64), path.name):
            return (_sample_frames(path) if with_frames else ()), None
    return ((read_picture(path).rgb8(),) if with_frames else ()), read_xmp(path)


def _sample_frames(path: Path) -> Iterator[np.ndarray]:
    """Up to eight key frames [H, W, 3] uint8 RGB of a video; none without the extra `video`, or where it cannot be
    decoded."""
    try:
        with open_media(path) as container:
            if not container.streams.video:
                return
            stream = container.streams.video[0]
            stream.codec_context.skip_frame = "NONKEY"
            frames = (frame for number, frame in enumerate(container.decode(stream)) if number % KEY_FRAMES_PASSED == 0)
            for frame, _ in zip(frames, range(FRAMES_AT_MOST), strict=False):
                yield frame.to_ndarray(format="rgb24")
    except Exception:  # decoders raise almost anything on broken bytes
        return


def _find_signed(context: Context, path: Path, trusted: str) -> tuple[Signed | None, str]:
    """The credentials in the file or beside it, or why they cannot be understood."""
    own, sidecar = context.keys.certificates(), _read_sidecar(path)
    places: list[tuple[Literal["file", "sidecar"], bytes | None]] = [("file", None)]
    for where, store in places + ([("sidecar", sidecar)] if sidecar else []):
        try:
            found = read_credentials(path, store, own)
            if found is None:
                continue
            vouched = read_credentials(path, store, trusted) if trusted else None
        except PictureError as error:
            return None, _text(error.message)
        number = _text(_table(found.active.get("signature_info")).get("cert_serial_number"))
        here = found.signer_known and number in context.keys.serial_numbers()
        return _summarise(found, where, here, vouched), ""
    return None, ""


def _read_sidecar(path: Path) -> bytes | None:
    """The manifest store beside a file; not a pipe, which would not end, nor what is too large to be one."""
    sidecar = sidecar_of(path)
    try:
        return sidecar.read_bytes() if sidecar.is_file() and sidecar.stat().st_size <= LARGEST_SIDECAR_BYTES else None
    except OSError:
        return None


def _seek_watermark(frames: Iterable[np.ndarray], detect: Detect | None) -> tuple[int | None, bool]:
    """The first watermark in any of `frames`, and whether there was anything to look at."""
    sought = False
    for frame in frames if detect else ():
        sought = True
        assert detect is not None
        if (identifier := find_watermark(frame, detect(frame))) is not None:
            return identifier, True
    return None, sought


def _summarise(
    found: Credentials,
    where: Literal["file", "sidecar", "registry"],
    signed_here: bool,
    vouched: Credentials | None = None,
) -> Signed:
    """A manifest, which anybody may have written, as the few values that are of interest.

    `vouched` is the same, held against the authorities that the reader named.
    """
    problems = tuple(problem for problem in found.problems if problem != UNTRUSTED) if where != "registry" else ()
    signature = _table(found.active.get("signature_info"))
    actions = [_table(action) for action in _list(_assertion(found.active, "c2pa.actions").get("actions"))]
    change = _assertion(found.active, CHANGE_LABEL)
    binding = _assertion(found.active, SOFT_BINDING)
    blocks = _list(binding.get("blocks")) if binding.get("alg") == WATERMARK_ALGORITHM else []
    name, issuer = (_text(signature.get(key)) for key in ("common_name", "issuer"))
    source_types = [_text(action.get("digitalSourceType")).rpartition("/")[2] for action in actions]
    return Signed(
        found_in=where,
        intact=None if where == "registry" else not problems,
        problems=problems,
        signer=f"{name} ({issuer})" if name and issuer and issuer not in name else name or issuer,
        signed_here=signed_here,
        trusted=vouched is not None and vouched.signer_known,
        time_stamp=_text(signature.get("time")),
        time_stamp_trusted=vouched is not None and vouched.time_stamp_known,
        said_time=next((_text(action["when"]) for action in reversed(actions) if action.get("when")), ""),
        generator=_generator(found.active),
        source_types=tuple(dict.fromkeys(filter(None, source_types))),
        model={key: _text(value) for key, value in _table(change.get("model")).items()},
        consent={key: _text(value) for key, value in _table(change.get("consent")).items()},
        watermark=_text(_table(blocks[0]).get("value")) if blocks else "",
        earlier=tuple(
            _generator(manifest) for label, manifest in found.manifests.items() if label != found.active.get("label")
        ),
    )


def _consent_status(context: Context, signed: Signed | None) -> tuple[str, str]:
    """Whether the record of consent that credentials name holds now, by this computer's ledger."""
    record_hash = signed.consent.get("record_sha256", "") if signed else ""
    if not re.fullmatch("[0-9a-f]{64}", record_hash):  # a number that anybody can read off would prove nothing
        return "", ""
    if signed and (signed.intact is False or not (signed.signed_here or signed.trusted)):
        return "unproven", "nobody whom this computer trusts says that this file rests on it"
    try:
        status = look_up(context.ledger, record_hash)
    except ConsentError as error:
        return "ledger unusable", error.message
    return (status.state, status.reason) if status else ("not in this ledger", "")


def _assertion(manifest: dict[str, Any], label: str) -> dict[str, Any]:
    """The data of the manifest's first assertion of this kind, whatever version of it; empty where there is none."""
    for assertion in map(_table, _list(manifest.get("assertions"))):
        if _text(assertion.get("label")).split(".v")[0].split("__")[0] == label:
            return _table(assertion.get("data"))
    return {}


def _generator(manifest: dict[str, Any]) -> str:
    """Which program made a manifest."""
    info = _list(manifest.get("claim_generator_info")) or _list(
        _table(manifest.get("claim")).get("claim_generator_info")
    )
    first = _table(info[0]) if info else {}
    return " ".join(filter(None, (_text(first.get("name")), _text(first.get("version"))))) or _text(
        manifest.get("claim_generator")
    )


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if isinstance(value, dict) else []


def _text(value: Any, longest: int = 200) -> str:
    """A value that anybody may have written as a short text on one line: no control characters, which steer
    terminals."""
    if not isinstance(value, (str, int)):
        return ""
    return "".join(
        character if character.isprintable() else " " * character.isspace() for character in str(value)[: 4 * longest]
    )[:longest]
