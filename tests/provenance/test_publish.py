"""The exit: what leaves states consent and model, is marked as the settings say, and appears whole or not at all."""

from __future__ import annotations

import errno
import os
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facechange.consent import Grant, load_context, record, require_grant
from facechange.consent.recording import record_consent, revoke_consent
from facechange.core import ConsentError, Face, ModelCard, OutputError, PictureError
from facechange.images import WRITABLE_SUFFIXES, Picture, read_picture
from facechange.provenance import LivePublication, check_writable, publish, publish_media, read_statement
from facechange.provenance.live_frames import CONSENT_CHECKED_SECONDS

FACE = Face((4, 4, 24, 24), np.array([[10, 12], [20, 12], [15, 17], [11, 22], [19, 22]], np.float32), 0.9)
CONSENT = 'Zoë and I agreed to this <today> & "forever" — 李'


@pytest.fixture
def picture() -> Picture:
    return Picture(np.random.default_rng(0).integers(0, 256, (32, 40, 3), np.uint8))


@pytest.mark.parametrize("suffix", WRITABLE_SUFFIXES)
def test_every_format_carries_the_statement(tmp_path: Path, grant: Grant, card: ModelCard, picture, suffix):
    path = publish(picture, tmp_path / f"out{suffix}", grant=replace(grant, statement=CONSENT), card=card)
    statement = read_statement(path)
    assert statement["consent"] == CONSENT
    assert statement["model"] == "face-toy 1.2"
    assert statement["software"].startswith("facechange")
    assert statement["digital_source_type"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_png_says_it_in_plain_text_too(tmp_path: Path, grant: Grant, card: ModelCard, picture):
    path = publish(picture, tmp_path / "out.png", grant=replace(grant, statement=CONSENT), card=card)
    image = Image.open(path)
    assert image.text["Consent"] == CONSENT
    assert image.text["Model"] == "face-toy 1.2"


def test_a_second_change_keeps_the_first_consent(tmp_path: Path, grant: Grant, card: ModelCard, picture):
    bob = replace(grant, statement="Bob agreed")
    first = publish(picture, tmp_path / "first.webp", grant=grant, card=card)
    second = publish(read_picture(first), tmp_path / "second.jpg", grant=bob, card=replace(card, name="other"))
    third = publish(read_picture(second), tmp_path / "third.tiff", grant=bob, card=replace(card, name="other"))
    assert read_statement(third) == read_statement(second)
    assert read_statement(second)["consent"] == "Ann agreed\nBob agreed"
    assert read_statement(second)["model"] == "other 1.2"


def test_other_xmp_stays_unless_it_is_too_large(tmp_path: Path, grant: Grant, card: ModelCard, picture):
    packet = (
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" '
        b'xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" i:DigitalSourceType="digitalCapture" dc:rights="%s"/></rdf:RDF>'
    )
    kept = publish(replace(picture, xmp=packet % b"Ann"), tmp_path / "kept.jpg", grant=grant, card=card)
    xmp = read_picture(kept).xmp
    assert xmp is not None and b'rights="Ann"' in xmp and b"digitalCapture" not in xmp
    large = publish(replace(picture, xmp=packet % (b"A" * 70_000)), tmp_path / "large.jpg", grant=grant, card=card)
    assert read_statement(large)["consent"] == "Ann agreed"


def test_nothing_is_said_where_nothing_was_done(tmp_path: Path, picture):
    Image.fromarray(picture.pixels).save(tmp_path / "plain.png")
    assert read_statement(tmp_path / "plain.png") == {}
    with pytest.raises(PictureError):
        read_statement(tmp_path / "missing.png")


def test_places_that_cannot_be_written(tmp_path: Path, grant: Grant, card: ModelCard, picture):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "there.png").write_bytes(b"there")
    cases = {
        "out.gif": "no kind of picture",
        "out": "no kind",
        "folder.png": "is a folder",
        "none/out.png": "no folder",
        "x" * 300 + ".png": "long",
    }
    for name, sentence in cases.items():
        with pytest.raises(OutputError, match=sentence) as raised:
            check_writable(load_context(), tmp_path / name)
        assert raised.value.remedy
    with pytest.raises(OutputError, match="exists already"):
        publish(picture, tmp_path / "there.png", grant=grant, card=card, overwrite=False)
    assert (tmp_path / "there.png").read_bytes() == b"there"
    check_writable(load_context(), tmp_path / "there.png")
    check_writable(load_context(), tmp_path / "new.JPG")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder.png", "there.png"]


def test_folder_without_permission(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(
        os, "open", lambda *args: (_ for _ in ()).throw(PermissionError(errno.EACCES, "Permission denied"))
    )
    with pytest.raises(OutputError, match="may not be written to"):
        check_writable(load_context(), tmp_path / "out.png")


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_full_disk_or_interrupt_leaves_the_old_file_alone(
    tmp_path: Path, grant: Grant, card: ModelCard, picture, monkeypatch, failure
):
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(failure))
    with pytest.raises((OutputError, KeyboardInterrupt)) as raised:
        publish(picture, path, grant=grant, card=card)
    assert isinstance(raised.value, KeyboardInterrupt) or "no space left" in raised.value.message
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_write_cut_off_by_the_system(tmp_path: Path, grant: Grant, card: ModelCard, picture):
    """The kernel lets a file grow to 1,000 bytes only, so that a part of it is really written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            publish(picture, tmp_path / "out.png", grant=grant, card=card)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


def test_mode_and_link_survive(tmp_path: Path, grant: Grant, card: ModelCard, picture):
    real, link = tmp_path / "real.png", tmp_path / "link.png"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    publish(picture, link, grant=grant, card=card)
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    np.testing.assert_array_equal(read_picture(real).pixels, picture.pixels)
    old = os.umask(0o022)
    try:
        assert publish(picture, tmp_path / "new.png", grant=grant, card=card).stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(old)


def test_a_picture_without_a_face_keeps_its_pixels(tmp_path: Path, grant: Grant, card: ModelCard, picture):
    path = publish(picture, tmp_path / "out.png", grant=grant, card=card)
    np.testing.assert_array_equal(read_picture(path).pixels, picture.pixels)


def test_a_persona_is_stated(tmp_path: Path, grant: Grant, card: ModelCard, picture):
    path = publish(picture, tmp_path / "out.webp", grant=replace(grant, persona=True), card=card)
    assert read_statement(path)["digital_source_type"].endswith("/trainedAlgorithmicMedia")


def test_marks_can_be_turned_off_and_that_is_said(
    tmp_path: Path, grant: Grant, card: ModelCard, picture, settings, capsys
):
    settings("[marking]\ncredentials = false\nwatermark = false\n")
    grant = replace(grant, context=load_context())
    paths = [publish(picture, tmp_path / name, grant=grant, card=card, faces=[FACE]) for name in ("a.png", "b.png")]
    said = capsys.readouterr().err
    assert said.count("no content credentials and no watermark") == 1 and "settings.toml" in said
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert b"c2pa" not in paths[0].read_bytes()
    np.testing.assert_array_equal(read_picture(paths[0]).pixels, picture.pixels)


def test_the_label_is_drawn_where_the_settings_ask_for_it(tmp_path: Path, grant: Grant, card: ModelCard, settings):
    settings('[marking]\nlabel = true\nlabel_text = "AI"\nlabel_corner = "top-left"\n')
    grant = replace(grant, context=load_context())
    grey = Picture(np.full((300, 400, 3), 128, np.uint8))
    changed = read_picture(publish(grey, tmp_path / "out.png", grant=grant, card=card)).pixels != 128
    assert changed[:150, :200].any() and not changed[150:].any() and not changed[:, 200:].any()


def test_consent_revoked_during_the_work_stops_the_result(tmp_path: Path, card: ModelCard, picture):
    (tmp_path / "ann.jpg").write_bytes(b"Ann")
    grant = require_grant(load_context(), "Ann agreed to this on 3 May", [tmp_path / "ann.jpg"], [])
    live = LivePublication(grant, card)
    live.publish_frame(picture.pixels, [])
    revoke_consent(load_context(), grant.id, "she asked")
    with pytest.raises(ConsentError, match=rf"{grant.id} was revoked .*she asked.* not published"):
        publish(picture, tmp_path / "out.png", grant=grant, card=card)
    with pytest.raises(ConsentError, match="not published"):
        publish_media(tmp_path / "ann.jpg", tmp_path / "out.mkv", grant=grant, card=card)
    live._checked -= CONSENT_CHECKED_SECONDS
    with pytest.raises(ConsentError, match="not published"):
        live.publish_frame(picture.pixels, [])
    assert [entry.name for entry in tmp_path.iterdir()] == ["ann.jpg"]


@pytest.mark.parametrize("role", ["source", "target"])
def test_any_consent_for_the_same_pictures_revoked_during_the_work_stops_it(
    tmp_path: Path, card: ModelCard, picture, role: str
):
    ann, party = tmp_path / "ann.jpg", tmp_path / "party.jpg"
    ann.write_bytes(b"Ann")
    party.write_bytes(b"a party")
    pictures = {"source": ann, "target": party}
    before, meanwhile = (
        record_consent(load_context(), [pictures[role]], who="Ann", role=role, basis="self") for _ in range(2)
    )
    held = record_consent(load_context(), [ann, party], who="Ann and Ben", role="both", basis="self")
    revoke_consent(load_context(), before.id, "asked before")
    grant = require_grant(load_context(), held.id, [ann], [party])
    publish(picture, tmp_path / "out.png", grant=grant, card=card)
    wrong_role = require_grant(load_context(), held.id, [party], [ann])
    revoke_consent(load_context(), meanwhile.id, "asked meanwhile")
    with pytest.raises(
        ConsentError, match=rf"{meanwhile.id} for {pictures[role].name} was revoked .*meanwhile.* not published"
    ):
        publish(picture, tmp_path / "late.png", grant=grant, card=card)
    publish(picture, tmp_path / "other-role.png", grant=wrong_role, card=card)
    assert not (tmp_path / "late.png").exists()


@pytest.mark.parametrize("role", ["target", "source"])
def test_only_the_files_that_were_agreed_to_go_into_a_result(tmp_path: Path, card: ModelCard, picture, role: str):
    ann, party, other = (tmp_path / name for name in ("ann.jpg", "party.jpg", "other.jpg"))
    for path in (ann, party, other):
        path.write_bytes(path.name.encode())
    grant = require_grant(load_context(), "Ann and all at the party agreed", [ann], [party])
    publish(picture, tmp_path / "out.png", grant=grant, card=card, target=party, sources=[ann])
    swapped = {"target": party, "source": ann}[role]
    files = {"target": party, "sources": [ann]} | ({"target": other} if role == "target" else {"sources": [other]})
    with pytest.raises(ConsentError, match=r"other\.jpg is not the file"):
        publish(picture, tmp_path / "other.png", grant=grant, card=card, **files)
    os.replace(other, swapped)
    with pytest.raises(ConsentError, match=rf"{swapped.name} is not the file .* not published"):
        publish(picture, tmp_path / "late.png", grant=grant, card=card, target=party, sources=[ann])
    with pytest.raises(ConsentError, match="not the file"):
        publish_media(
            picture_file := tmp_path / "out.png",
            tmp_path / "late.mkv",
            grant=grant,
            card=card,
            targets=[party],
            sources=[ann],
        )
    assert picture_file.exists() and not list(tmp_path.glob("late*"))


def test_each_file_is_hashed_once_from_consent_to_result(tmp_path: Path, card: ModelCard, picture, monkeypatch):
    ann, party = tmp_path / "ann.jpg", tmp_path / "party.jpg"
    ann.write_bytes(b"Ann")
    party.write_bytes(b"a party")
    hashed: list[str] = []
    real = record.hash_file
    monkeypatch.setattr(record, "hash_file", lambda path: hashed.append(path.name) or real(path))
    grant = require_grant(load_context(), "Ann and all at the party agreed", [ann], [party])
    for name in ("one.png", "two.png"):
        publish(picture, tmp_path / name, grant=grant, card=card, target=party, sources=[ann])
    assert sorted(hashed) == ["ann.jpg", "party.jpg"]


def test_a_result_without_a_line_in_the_ledger_is_not_published(
    tmp_path: Path, grant: Grant, card: ModelCard, picture, home: Path
):
    (home / "consent.sqlite").unlink()
    with pytest.raises(ConsentError, match="no longer in this computer's ledger"):
        publish(picture, tmp_path / "out.png", grant=grant, card=card)
    assert not (tmp_path / "out.png").exists()


def test_everything_that_lasts_reaches_the_disk_with_its_folder(tmp_path: Path, card: ModelCard, picture, monkeypatch):
    """Whatever name appears, the folder that has it is synced afterwards: else a power cut takes the file, whole as it
    is."""
    monkeypatch.setenv("FACECHANGE_HOME", str(tmp_path / "new" / "home"))
    synced: list[Path] = []
    real = os.fsync

    def note(handle: int) -> None:
        place = Path(os.readlink(f"/proc/self/fd/{handle}"))
        synced.append(place)
        real(handle)

    monkeypatch.setattr(os, "fsync", note)
    publish(
        picture,
        tmp_path / "out.png",
        grant=require_grant(load_context(), "Ann agreed", [], []),
        card=card,
        faces=[FACE],
    )
    home = tmp_path / "new" / "home"
    (store,) = (home / "published").iterdir()
    assert {tmp_path, tmp_path / "new", home, store.parent} <= set(synced)
    assert [path.stat().st_mode & 0o777 for path in (home, store.parent, store)] == [0o700, 0o700, 0o600]
    (key,) = home.glob("signing-*.pem")
    assert key.stat().st_mode & 0o777 == 0o600
    parts = [place for place in synced if ".part" in place.name]
    assert {place.parent for place in parts} == {tmp_path, home, store.parent}  # result, key, manifest store
    for part in parts:  # the file first, then the folder that names it
        assert part.parent in synced[synced.index(part) :]


def test_a_live_picture_without_label_says_so(grant: Grant, card: ModelCard, settings, capsys):
    LivePublication(grant, card)
    assert not capsys.readouterr().err
    settings("[marking]\nlive_label = false\n")
    LivePublication(replace(grant, context=load_context()), card)
    assert "no visible label" in capsys.readouterr().err
