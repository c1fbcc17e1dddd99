"""Content credentials: sign a file's C2PA manifest into it, and read what manifests say, anybody's. The one user of
c2pa-python."""

from __future__ import annotations

import errno
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from facechange.core import OutputError, PictureError
from facechange.provenance.manifest import SOURCE, Ingredient, Publication, describe_change, list_ingredients

if TYPE_CHECKING:
    import c2pa

MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".apng": "image/png",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".m4v": "video/x-m4v",
    ".mov": "video/quicktime",
    ".avi": "video/avi",
}
UNKNOWN_TYPE = "application/octet-stream"
ELSEWHERE = "The content credentials lie elsewhere on the network, where nothing is fetched from."
MANIFEST_TYPE = "application/c2pa"
LARGEST_STORE_BYTES = 1 << 20  # of a usual manifest store, for the check that there is space
# Nothing is fetched from the network, whatever a manifest asks for; no pictures in manifests.
_SETTINGS: dict[str, Any] = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_after_sign": False},
    "builder": {"thumbnail": {"enabled": False}},
}


@dataclass(frozen=True)
class Credentials:
    """A file's manifests as c2pa-python reports them."""

    active: dict[str, Any]  # the manifest that speaks for the file
    manifests: dict[str, dict[str, Any]]  # all by their label, earlier ones too
    problems: tuple[str, ...]  # codes of the C2PA specification, such as "assertion.dataHash.mismatch"
    # the signature is the signer's, and one of the authorities that were named vouches for the signer
    signer_known: bool
    time_stamp_known: bool = False  # likewise for who stamped the time


def can_embed(suffix: str) -> bool:
    """Whether files of this kind can hold their credentials."""
    return suffix.lower() in MEDIA_TYPES


def sidecar_of(path: Path) -> Path:
    """Where the credentials of a file lie that cannot hold them: `holiday.mkv.c2pa` beside `holiday.mkv`."""
    return path.with_name(path.name + ".c2pa")


def sign_picture(data: bytes, suffix: str, publication: Publication) -> tuple[bytes, bytes]:
    """An encoded picture with its credentials in it, and the manifest store that they are. Raises `OutputError`."""
    signed = io.BytesIO()
    store = _sign(io.BytesIO(data), signed, suffix, publication)
    return signed.getvalue(), store


def sign_file(work_file: Path, part: Path, suffix: str, publication: Publication) -> bytes:
    """Copy `work_file` to `part` with its credentials, or as it is where `can_embed` says no; returns the manifest
    store.

    Raises `OutputError`, and `OSError` where the disk is too full.
    """
    if shutil.disk_usage(part.parent).free < work_file.stat().st_size + LARGEST_STORE_BYTES:
        raise OSError(errno.ENOSPC, "No space left on device")  # c2pa would only say that writing failed
    with work_file.open("rb") as source, part.open("w+b") as signed:
        return _sign(source, signed, suffix, publication)


def read_credentials(path: Path, store: bytes | None = None, trusted: str = "") -> Credentials | None:
    """What the manifests in a file say, or those of `store` about it; None where there are none.

    `trusted` are PEM certificates of authorities. Raises `PictureError` where there is something that cannot be
    understood.
    """
    with path.open("rb") as file:
        return _read(MEDIA_TYPES.get(path.suffix.lower(), "" if store is None else UNKNOWN_TYPE), file, store, trusted)


def read_store(store: bytes) -> Credentials | None:
    """What a manifest store says by itself, without the file it is about; None where it cannot be understood."""
    try:
        return _read(MANIFEST_TYPE, io.BytesIO(store), None, "")
    except PictureError:
        return None


def _sign(source: IO[bytes], signed: IO[bytes], suffix: str, publication: Publication) -> bytes:
    import c2pa  # late: 50 ms

    context = publication.grant.context
    marking, key = context.settings.marking, context.keys.find()
    ingredients = list_ingredients(publication)
    kept = [] if publication.nameless else ingredients
    earlier = {ingredient.name: found for ingredient in kept if (found := _find_thumbnails(ingredient)) is not None}
    attempts = [earlier, {}] if earlier else [earlier]
    for attempt, brought in enumerate(attempts, 1):
        try:
            builder = _start_manifest(publication, ingredients, brought)
            if not can_embed(suffix):
                builder.set_no_embed()
            time_stamps = marking.time_stamp_url.encode() or None
            signer = c2pa.Signer.from_info(
                c2pa.C2paSignerInfo(key.algorithm.encode(), key.chain, key.private_key, time_stamps)
            )
            store: bytes = builder.sign(signer, MEDIA_TYPES.get(suffix.lower(), UNKNOWN_TYPE), source, signed)
            return store
        except c2pa.C2paError as error:
            if attempt == len(attempts):  # without the target's earlier manifests, which may be broken, it failed too
                remedy = (
                    "Look at [marking] in the settings."
                    if marking.certificate or marking.time_stamp_url
                    else "Use another format."
                )
                raise OutputError(f"The content credentials cannot be signed ({error}).", remedy) from error
        source.seek(0)
        signed.seek(0)
        signed.truncate()
    raise AssertionError("there is at least one attempt")


def _start_manifest(
    publication: Publication, ingredients: Sequence[Ingredient], earlier: Mapping[str, Sequence[str]]
) -> c2pa.Builder:
    """A manifest ready to sign. Files in `earlier` bring their own manifests along, without the assertions named
    there."""
    import c2pa

    definition = describe_change(publication, ingredients, [uri for uris in earlier.values() for uri in uris])
    definition["ingredients"] = [
        ingredient.describe() | {"format": _media_type(ingredient.path)}
        for ingredient in ingredients
        if ingredient.name not in earlier
    ]
    builder = c2pa.Builder(definition, context=_context())
    for ingredient in ingredients:
        if ingredient.name in earlier:
            with ingredient.path.open("rb") as file:
                builder.add_ingredient(ingredient.describe(), _media_type(ingredient.path), file)
    return builder


def _find_thumbnails(ingredient: Ingredient) -> list[str] | None:
    """Addresses of the thumbnails in a target's manifests: they show the face as it was. None where it has no manifest
    to keep."""
    if ingredient.role == SOURCE:
        return None
    try:
        found = read_credentials(ingredient.path)
    except PictureError:
        return None
    if found is None:
        return None
    return [
        f"self#jumbf=/c2pa/{label}/c2pa.assertions/{assertion}"
        for label, manifest in found.manifests.items()
        for assertion in manifest.get("assertion_store", ())
        if assertion.startswith("c2pa.thumbnail")
    ]


def _read(media_type: str, file: IO[bytes], store: bytes | None, trusted: str) -> Credentials | None:
    import c2pa

    try:
        with c2pa.Reader(media_type, file, store, _context(trusted)) as reader:
            active, report = reader.get_active_manifest() or {}, json.loads(reader.detailed_json())["manifests"]
            results = (reader.get_validation_results() or {}).get("activeManifest", {})
            codes = {
                kind: tuple(dict.fromkeys(each["code"] for each in results.get(kind, ())))
                for kind in ("success", "failure")
            }
    except (c2pa.C2paError.ManifestNotFound, c2pa.C2paError.NotSupported):
        return None
    # any JSON can come back, or none
    except (c2pa.C2paError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if str(error).startswith("Remote:"):
            raise PictureError(ELSEWHERE) from error
        if store is None and not _has_manifest(file):
            return None  # it is the file around it that cannot be parsed
        raise PictureError(f"The content credentials are broken ({error}).") from error
    known = {"claimSignature.validated", "signingCredential.trusted"} <= set(codes["success"])
    return Credentials(active, report, codes["failure"], known, "timeStamp.trusted" in codes["success"])


def _has_manifest(file: IO[bytes]) -> bool:
    """Whether the mark of a manifest store is anywhere in the file."""
    file.seek(0)
    before = b""
    while block := file.read(1 << 20):
        if b"c2pa" in before + block:
            return True
        before = block[-3:]
    return False


def _context(trusted: str = "") -> c2pa.Context:
    import c2pa

    return c2pa.Context.from_dict(_SETTINGS | ({"trust": {"trust_anchors": trusted}} if trusted else {}))


def _media_type(path: Path) -> str:
    return MEDIA_TYPES.get(path.suffix.lower(), UNKNOWN_TYPE)
