"""What `verify` says of files of every kind, and that it never says more than is known."""

from __future__ import annotations

import io
import json
import random
from dataclasses import replace
from pathlib import Path

import c2pa
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facechange.cli.app import app
from facechange.core import Face, ModelCard, PictureError
from facechange.core.settings import MarkingSettings
from facechange.pictures import as_picture, read_picture
from facechange.trust import Grant, publish, publish_media, require_grant
from facechange.trust.recording import withdraw_consent
from facechange.trust.signing import find_signing_key, own_certificates
from facechange.trust.verify import Findings, examine
from facechange.trust.verify_words import describe_findings

EXAMPLE = Path(__file__).parents[2] / "examples" / "target.jpg"  # made by the project's own model
FORBIDDEN = ("authentic", "genuine", "real photograph", "unaltered")


@pytest.fixture(scope="module")
def face() -> Face:
    from facechange.faces.locate import FaceLocator
    from facechange.runtime import load_graph

    return FaceLocator(load_graph("locator", 1)).locate(read_picture(EXAMPLE).rgb8())[0]


@pytest.fixture
def published(tmp_path: Path, grant: Grant, card: ModelCard, face: Face) -> Path:
    return publish(read_picture(EXAMPLE), tmp_path / "out.png", grant=grant, card=card, target=EXAMPLE, faces=[face])


def ask(path: Path, face: Face | None = None, trusted: str = "") -> tuple[Findings, str]:
    """The findings and the sentences about them; `face` stands for the locator."""
    findings = examine(path, (lambda _: [face]) if face else None, trusted)
    words = " ".join(describe_findings(findings))
    assert not any(word in words.lower() for word in FORBIDDEN)
    json.dumps(findings.__dict__, default=lambda value: value.__dict__)
    return findings, words


def test_a_file_made_here(published: Path, face: Face, card: ModelCard):
    findings, words = ask(published, face)
    signed = findings.signed
    assert signed is not None and signed.signed_here and signed.intact and not signed.trusted
    assert signed.model == {"name": card.name, "version": card.version, "sha256": card.sha256}
    assert findings.watermark == signed.watermark != ""
    for part in ("on this computer", "face-toy 1.2", "no authority vouches", "Unchanged since", "not in this computer's ledger"):
        assert part in words
    assert "an authority that you trust" in ask(published, face, own_certificates())[1]


def test_a_change_after_signing_is_said(published: Path, face: Face):
    data = bytearray(published.read_bytes())
    at = data.rindex(b"IDAT") + 8
    data[at] ^= 1
    published.write_bytes(data)
    findings, words = ask(published)
    assert findings.signed is not None and findings.signed.intact is False
    assert "It is not what was signed" in words and "assertion.dataHash.mismatch" in words
    assert "Unchanged" not in words


@pytest.mark.parametrize("cut", [False, True])
def test_a_stripped_copy_is_found_again_by_its_watermark(published: Path, face: Face, cut: bool):
    image = Image.open(published).convert("RGB")
    copy = published.with_name("copy.jpg")
    (image.crop((10, 6, *image.size)) if cut else image).save(copy, quality=85)
    seen = replace(face, points=face.points - np.float32([10, 6])) if cut else face
    findings, words = ask(copy, seen)
    assert findings.signed is not None and findings.signed.found_in == "registry" and findings.signed.intact is None
    assert "copy of something that facechange published here" in words and "cannot be told" in words


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


def test_another_programs_credentials_are_told_but_not_believed(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FACECHANGE_HOME", str(tmp_path / "elsewhere"))
    key = find_signing_key(MarkingSettings())
    monkeypatch.setenv("FACECHANGE_HOME", str(home))
    kind = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    actions = {"label": "c2pa.actions", "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": kind}]}}
    forged = {"label": "facechange.change", "data": {"model": ["no table"], "consent": 7}}
    name = "painter\x1b[31m\n" + "x" * 5000
    plain, signed = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (16, 16)).save(plain, "WEBP")
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", key.chain, key.private_key, None))
    definition = {"claim_generator_info": [{"name": name}], "assertions": [actions, forged]}
    c2pa.Builder(definition, context=c2pa.Context()).sign(signer, "image/webp", plain, signed)
    (tmp_path / "painted.webp").write_bytes(signed.getvalue())
    findings, words = ask(tmp_path / "painted.webp")
    assert "another program" in words and "made by a trained model" in words and "anyone can sign with any name" in words
    assert findings.signed is not None and not findings.signed.signed_here and len(findings.signed.generator) == 200
    assert "\x1b" not in words and "\x1b" not in findings.signed.generator


def test_broken_credentials_and_metadata_alone(tmp_path: Path, grant: Grant, card: ModelCard, face: Face):
    copy = publish(read_picture(EXAMPLE), tmp_path / "out.jpg", grant=grant, card=card, faces=[face])
    data = copy.read_bytes()
    box = data.index(b"jumb", data.index(b"jumb") + 4)
    copy.write_bytes(data[:box] + bytes(500) + data[box + 500 :])
    findings, words = ask(copy)
    assert findings.signed is None and findings.broken
    assert "credentials are broken" in words and 'Ann agreed", model face-toy 1.2' in words and "unsigned" in words
    assert "published here" in ask(copy, face)[1]


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


def test_consent_is_looked_up(tmp_path: Path, card: ModelCard):
    source, target = tmp_path / "source.jpg", tmp_path / "target.jpg"
    source.write_bytes(b"source")
    target.write_bytes(b"target")
    grant = require_grant("Ann agreed to this on 3 May", [source], [target])
    path = publish(as_picture(Image.new("RGB", (16, 16))), tmp_path / "out.png", grant=grant, card=card)
    assert "is in force" in ask(path)[1]
    withdraw_consent(grant.id, "she asked")
    findings, words = ask(path)
    assert findings.consent_state == "withdrawn" and "no longer in force" in words


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
    (tmp_path / "text.txt").write_text("no picture")
    result = CliRunner().invoke(app, ["verify", str(tmp_path / "text.txt")])
    assert isinstance(result.exception, PictureError)
