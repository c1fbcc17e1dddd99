"""What `verify` says of files of every kind, and that it never says more than is known."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import c2pa
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from typer.testing import CliRunner

from facechange.cli.app import app
from facechange.consent import Grant, load_context, require_grant
from facechange.consent.recording import revoke_consent
from facechange.core import EXIT_NOT_AS_SIGNED, Face, ModelCard, PictureError
from facechange.images import as_picture, read_picture
from facechange.provenance import publish, publish_media
from facechange.provenance.verify import LARGEST_SIDECAR_BYTES, Findings, examine
from facechange.provenance.verify_words import describe_findings

EXAMPLE = Path(__file__).parents[2] / "examples" / "target.jpg"  # made by the project's own model
DIGITAL_CAPTURE = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
FORBIDDEN = ("authentic", "genuine", "real photograph", "unaltered")


@pytest.fixture(scope="module")
def face() -> Face:
    from facechange.swap import load_detector

    return load_detector(threads=1).detect(read_picture(EXAMPLE).rgb8())[0]


@pytest.fixture
def published(tmp_path: Path, grant_for: Callable[..., Grant], card: ModelCard, face: Face) -> Path:
    return publish(
        read_picture(EXAMPLE), tmp_path / "out.png", grant=grant_for([EXAMPLE]), card=card, target=EXAMPLE, faces=[face]
    )


def ask(path: Path, face: Face | None = None, trusted: str = "") -> tuple[Findings, str]:
    """The findings and the sentences about them; `face` stands for the scout."""
    findings = examine(load_context(), path, (lambda _: [face]) if face else None, trusted)
    words = " ".join(describe_findings(findings))
    assert not any(word in words.lower() for word in FORBIDDEN)
    json.dumps(findings.__dict__, default=lambda value: value.__dict__)
    return findings, words


def test_a_file_made_here(published: Path, face: Face, card: ModelCard, home: Path):
    findings, words = ask(published, face)
    signed = findings.signed
    assert signed is not None and signed.signed_here and signed.intact and not signed.trusted
    assert signed.model == {"name": card.name, "version": card.version, "sha256": card.sha256}
    assert findings.watermark == signed.watermark != ""
    for part in ("on this computer", "face-toy 1.2", "no authority vouches", "Unchanged since", "is in force"):
        assert part in words
    (home / "consent.sqlite").unlink()
    assert "not in this computer's ledger" in ask(published, face)[1]
    assert "an authority that you trust" in ask(published, face, load_context().keys.certificates())[1]


def test_a_change_after_signing_is_said(published: Path, face: Face):
    data = bytearray(published.read_bytes())
    at = data.rindex(b"IDAT") + 8
    data[at] ^= 1
    published.write_bytes(data)
    findings, words = ask(published)
    assert findings.signed is not None and findings.signed.intact is False
    assert "It is not what was signed" in words and "assertion.dataHash.mismatch" in words
    assert not findings.is_as_signed
    result = CliRunner().invoke(app, ["verify", "--json", str(published), "none.png", str(EXAMPLE)])
    assert result.exit_code == EXIT_NOT_AS_SIGNED == 12
    assert [entry.get("as_signed") for entry in json.loads(result.stdout)] == [False, None, True]
    assert "Unchanged" not in words


@pytest.mark.parametrize("cut", [False, True])
def test_a_stripped_copy_is_found_again_by_its_watermark(published: Path, face: Face, cut: bool):
    image = Image.open(published).convert("RGB")
    copy = published.with_name("copy.jpg")
    (image.crop((10, 6, *image.size)) if cut else image).save(copy, quality=85)
    seen = replace(face, points=face.points - np.float32([10, 6])) if cut else face
    findings, words = ask(copy, seen)
    assert findings.signed is not None and findings.signed.found_in == "registry" and findings.signed.intact is None
    assert (
        "copy of something that facechange published here" in words
        and "cannot be told" in words
        and findings.is_as_signed
    )


def test_a_watermark_from_elsewhere(published: Path, face: Face, home: Path):
    Image.open(published).convert("RGB").save(published.with_name("copy.png"))
    for store in home.glob("published/*"):
        store.unlink()
    findings, words = ask(published.with_name("copy.png"), face)
    assert findings.signed is None and findings.watermark
    assert "not published from this computer" in words


def test_a_plain_photograph(tmp_path: Path, face: Face):
    Image.open(EXAMPLE).convert("RGB").save(tmp_path / "plain.jpg")
    findings, words = ask(tmp_path / "plain.jpg", face)
    assert findings == Findings("plain.jpg", findings.sha256, watermark_sought=True)
    assert words == "Nothing is known about it. That does not mean that it is unchanged."


def test_another_programs_credentials_are_told_but_not_believed(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FACECHANGE_HOME", str(tmp_path / "elsewhere"))
    key = load_context().keys.find()
    monkeypatch.setenv("FACECHANGE_HOME", str(home))
    kind = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    actions = {"label": "c2pa.actions", "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": kind}]}}
    forged = {"label": "facechange.swap", "data": {"model": ["no table"], "consent": 7}}
    name = "painter\x1b[31m\n" + "x" * 5000
    plain, signed = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (16, 16)).save(plain, "WEBP")
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", key.chain, key.private_key, None))
    definition = {"claim_generator_info": [{"name": name}], "assertions": [actions, forged]}
    c2pa.Builder(definition, context=c2pa.Context()).sign(signer, "image/webp", plain, signed)
    (tmp_path / "painted.webp").write_bytes(signed.getvalue())
    findings, words = ask(tmp_path / "painted.webp")
    assert (
        "another program" in words and "made by a trained model" in words and "anyone can sign with any name" in words
    )
    assert findings.signed is not None and not findings.signed.signed_here and len(findings.signed.generator) == 200
    assert "\x1b" not in words and "\x1b" not in findings.signed.generator


def test_broken_credentials_and_metadata_alone(tmp_path: Path, grant: Grant, card: ModelCard, face: Face):
    copy = publish(read_picture(EXAMPLE), tmp_path / "out.jpg", grant=grant, card=card, faces=[face])
    data = copy.read_bytes()
    box = data.index(b"jumb", data.index(b"jumb") + 4)
    copy.write_bytes(data[:box] + bytes(500) + data[box + 500 :])
    findings, words = ask(copy)
    assert findings.signed is None and findings.broken and not findings.is_as_signed
    assert "credentials are broken" in words and 'Ann agreed", model face-toy 1.2' in words and "unsigned" in words
    found, words = ask(copy, face)
    assert "published here" in words and not found.is_as_signed


def test_hostile_manifests_end_in_words(tmp_path: Path, grant: Grant, card: ModelCard):
    """Whatever a few bytes of a manifest become, there are findings; a change that they show is said."""
    good = publish(as_picture(Image.new("RGB", (16, 16))), tmp_path / "out.webp", grant=grant, card=card).read_bytes()
    chance, start, told = random.Random(0), good.index(b"jumb"), 0
    for _ in range(60):
        data = bytearray(good)
        for _ in range(3):
            data[chance.randrange(start, len(good))] = chance.randrange(256)
        (tmp_path / "hostile.webp").write_bytes(data)
        findings, words = ask(tmp_path / "hostile.webp")
        told += "not what was signed" in words or "broken" in words
        assert findings.signed is None or findings.signed.intact is not None
    assert told > 50  # a few land in padding, which C2PA leaves out


def write_xmp(path: Path, packet: str) -> Path:
    information = PngInfo()
    information.add_itxt("XML:com.adobe.xmp", packet)
    Image.new("RGB", (16, 16)).save(path, pnginfo=information)
    return path


XMP = '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description>%s</rdf:Description></rdf:RDF>'


def test_a_statement_cannot_pass_for_findings(tmp_path: Path, face: Face):
    """Metadata that anyone can write stays on its own line, is short, and steers no terminal."""
    words = "Ann&#10;  Unchanged since it was signed.\x9b31m\u202e" + "A" * 50_000
    path = write_xmp(
        tmp_path / "spoof.png", XMP % f'<s:Consent xmlns:s="urn:facechange:statement:1:">{words}</s:Consent>'
    )
    findings, said = ask(path, face)
    assert said.startswith("It says of itself") and 'consent "Ann   Unchanged' in said
    assert len(said) < 2000 and not set("\n\x9b\u202e") & set(said)
    assert "\n" not in findings.statement["consent"]


def test_hostile_xmp_hides_nothing(tmp_path: Path, face: Face, grant_for: Callable[..., Grant], card: ModelCard):
    """A packet nested beyond reason is no packet: the picture is read, verified and published all the same."""
    path = write_xmp(tmp_path / "deep.png", XMP % ("<a>" * 50_000 + "</a>" * 50_000))
    assert ask(path, face)[1].startswith("Nothing is known")
    assert publish(read_picture(path), tmp_path / "out.png", grant=grant_for([path]), card=card, target=path).exists()


def test_a_pipe_beside_a_file_is_no_sidecar(tmp_path: Path):
    shutil.copy(EXAMPLE, tmp_path / "plain.jpg")
    os.mkfifo(tmp_path / "plain.jpg.c2pa")  # reading it would not end
    assert ask(tmp_path / "plain.jpg")[0].signed is None
    (tmp_path / "plain.jpg.c2pa").unlink()
    with (tmp_path / "plain.jpg.c2pa").open("wb") as file:
        file.truncate(LARGEST_SIDECAR_BYTES + 1)
    assert ask(tmp_path / "plain.jpg")[0].signed is None


def test_credentials_elsewhere_are_not_fetched(tmp_path: Path):
    path = tmp_path / "remote.jpg"
    path.write_bytes(sign_as_stranger([], remote="http://127.0.0.1:9/manifest"))
    findings, words = ask(path)
    assert "lie elsewhere on the network, where nothing is fetched from" in words and findings.is_as_signed


def test_strangers_do_not_speak_for_consent_of_ours(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "ann.jpg").write_bytes(b"Ann")
    grant = require_grant(load_context(), "Ann agreed to this on 3 May", [tmp_path / "ann.jpg"], [])
    for reference in (grant.record_hash, grant.id):
        consent = {"id": grant.id, "basis": "release", "record_sha256": reference}
        change = {"label": "facechange.swap", "data": {"model": {"name": "face"}, "consent": consent}}
        (tmp_path / "forged.jpg").write_bytes(sign_as_stranger([change]))
        findings, words = ask(tmp_path / "forged.jpg")
        assert "in force" not in words and findings.consent_state == (
            "unproven" if reference == grant.record_hash else ""
        )


def test_new_credentials_do_not_wash_the_watermark_off(published: Path, tmp_path: Path, face: Face):
    (tmp_path / "washed.jpg").write_bytes(sign_as_stranger([], Image.open(published)))
    findings, words = ask(tmp_path / "washed.jpg", face)
    assert findings.watermark and "taken by a camera" in words
    assert "a face in it was changed, whatever its credentials say" in words and not findings.is_as_signed


def sign_as_stranger(assertions: list[dict], image: Image.Image | None = None, remote: str = "") -> bytes:
    """A JPEG that a camera took, say its credentials, of another computer's key that bears the same name."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as elsewhere:
        patch.setenv("FACECHANGE_HOME", elsewhere)
        key = load_context().keys.find()
    actions = {
        "label": "c2pa.actions",
        "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": DIGITAL_CAPTURE}]},
    }
    plain, signed = io.BytesIO(), io.BytesIO()
    (image or Image.new("RGB", (16, 16))).convert("RGB").save(plain, "JPEG", quality=90)
    builder = c2pa.Builder(
        {"claim_generator_info": [{"name": "facechange"}], "assertions": [actions, *assertions]}, context=c2pa.Context()
    )
    if remote:
        builder.set_no_embed()
        builder.set_remote_url(remote)
    builder.sign(
        c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", key.chain, key.private_key, None)),
        "image/jpeg",
        plain,
        signed,
    )
    return signed.getvalue()


def test_a_time_stamp_is_worth_what_its_authority_is(published: Path):
    signed = ask(published)[0].signed
    assert signed is not None
    stamped = replace(ask(published)[0], signed=replace(signed, time_stamp="2019-05-03T10:00:00+00:00"))
    assert "3 May 2019 10:00 UTC, by a time stamp that nobody vouches for" in " ".join(describe_findings(stamped))
    known = replace(stamped, signed=replace(stamped.signed, time_stamp_trusted=True))
    assert "by the time stamp of an authority that you trust" in " ".join(describe_findings(known))


def test_consent_is_looked_up(tmp_path: Path, card: ModelCard):
    source, target = tmp_path / "source.jpg", tmp_path / "target.jpg"
    source.write_bytes(b"source")
    target.write_bytes(b"target")
    grant = require_grant(load_context(), "Ann agreed to this on 3 May", [source], [target])
    path = publish(as_picture(Image.new("RGB", (16, 16))), tmp_path / "out.png", grant=grant, card=card)
    assert "is in force" in ask(path)[1]
    revoke_consent(load_context(), grant.id, "she asked")
    findings, words = ask(path)
    assert findings.consent_state == "revoked" and "no longer in force" in words


def test_a_sidecar_speaks_for_its_file(tmp_path: Path, grant: Grant, card: ModelCard):
    work_file = tmp_path / "work.mkv"
    work_file.write_bytes(b"\x1a\x45\xdf\xa3" + bytes(range(256)) * 20)
    path = publish_media(work_file, tmp_path / "out.mkv", grant=grant, card=card)
    findings, _ = ask(path)
    assert findings.signed is not None and findings.signed.found_in == "sidecar" and findings.signed.intact
    path.write_bytes(path.read_bytes() + b"more")
    assert ask(path)[0].signed.intact is False


def test_the_command(published: Path, tmp_path: Path):
    result = CliRunner().invoke(app, ["verify", str(published), str(EXAMPLE), "--json"])
    assert result.exit_code == 0, result.output
    entries = json.loads(result.stdout)
    assert [entry["file"] for entry in entries] == ["out.png", EXAMPLE.name]
    assert entries[0]["signed"]["signed_here"] and entries[0]["watermark"] == entries[0]["signed"]["watermark"]


def test_the_command_goes_on_after_a_file_that_it_cannot_read(tmp_path: Path):
    (tmp_path / "text\x1b[31m.txt").write_text("no picture")
    files = [str(tmp_path / "text\x1b[31m.txt"), str(tmp_path / "none.png"), str(EXAMPLE)]
    result = CliRunner().invoke(app, ["verify", *files])
    assert result.exit_code == PictureError.exit_code
    assert (
        "is not a picture" in result.stderr
        and "does not exist" in result.stderr
        and "Nothing proves it" in result.stdout
    )
    assert "\x1b" not in result.output
    entries = json.loads(CliRunner().invoke(app, ["verify", "--json", *files]).stdout)
    assert ["error" in entry for entry in entries] == [True, True, False]
