"""Consent is required; what leaves says so; nothing partial is left."""

from __future__ import annotations

import errno
import os
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facechange.core import ConsentError, OutputError, PictureError
from facechange.pictures import WRITABLE_SUFFIXES, Picture, read_picture
from facechange.trust import check_writable, publish, read_statement, require_consent

CONSENT = 'Zoë and I agreed to this <today> & "forever" — 李'


@pytest.fixture
def picture() -> Picture:
    return Picture(np.random.default_rng(0).integers(0, 256, (32, 40, 3), np.uint8))


@pytest.mark.parametrize("missing", [None, "", "  \n", "...", "\0\x1b"])
def test_consent_is_required(missing):
    with pytest.raises(ConsentError, match="agreed") as raised:
        require_consent(missing)
    assert "--consent" in raised.value.remedy


def test_consent_is_one_clean_line():
    assert require_consent(" We\n all\tagreed\0\ud800 ") == "We all agreed"
    with pytest.raises(ConsentError, match="longer"):
        require_consent("a" * 5000)


@pytest.mark.parametrize("suffix", WRITABLE_SUFFIXES)
def test_every_format_carries_the_statement(tmp_path: Path, picture, suffix):
    path = publish(picture, tmp_path / f"out{suffix}", consent=CONSENT, model="face-small 0.1.0")
    statement = read_statement(path)
    assert statement["consent"] == CONSENT
    assert statement["model"] == "face-small 0.1.0"
    assert statement["software"].startswith("facechange")
    assert statement["digital_source_type"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_png_says_it_in_plain_text_too(tmp_path: Path, picture):
    path = publish(picture, tmp_path / "out.png", consent=CONSENT, model="m 1")
    image = Image.open(path)
    assert image.text["Consent"] == CONSENT
    assert image.text["Model"] == "m 1"


def test_a_second_change_keeps_the_first_consent(tmp_path: Path, picture):
    first = publish(picture, tmp_path / "first.webp", consent="Ann agreed", model="m 1")
    second = publish(read_picture(first), tmp_path / "second.jpg", consent="Bob agreed", model="m 2")
    third = publish(read_picture(second), tmp_path / "third.tiff", consent="Bob agreed", model="m 2")
    assert read_statement(third) == read_statement(second)
    assert read_statement(second)["consent"] == "Ann agreed\nBob agreed"
    assert read_statement(second)["model"] == "m 2"


def test_other_xmp_stays_unless_it_is_too_large(tmp_path: Path, picture):
    packet = (
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" '
        b'xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" i:DigitalSourceType="digitalCapture" dc:rights="%s"/></rdf:RDF>'
    )
    kept = publish(replace(picture, xmp=packet % b"Ann"), tmp_path / "kept.jpg", consent="Ann agreed", model="m")
    xmp = read_picture(kept).xmp
    assert xmp is not None and b'rights="Ann"' in xmp and b"digitalCapture" not in xmp
    large = publish(replace(picture, xmp=packet % (b"A" * 70_000)), tmp_path / "large.jpg", consent="Ann agreed", model="m")
    assert read_statement(large)["consent"] == "Ann agreed"


def test_nothing_is_said_where_nothing_was_done(tmp_path: Path, picture):
    Image.fromarray(picture.pixels).save(tmp_path / "plain.png")
    assert read_statement(tmp_path / "plain.png") == {}
    with pytest.raises(PictureError):
        read_statement(tmp_path / "missing.png")


def test_without_consent_nothing_is_written(tmp_path: Path, picture):
    with pytest.raises(ConsentError):
        publish(picture, tmp_path / "out.png", consent=" ", model="m")
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_written(tmp_path: Path, picture):
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
            check_writable(tmp_path / name)
        assert raised.value.remedy
    with pytest.raises(OutputError, match="exists already"):
        publish(picture, tmp_path / "there.png", consent="Ann agreed", model="m", overwrite=False)
    assert (tmp_path / "there.png").read_bytes() == b"there"
    check_writable(tmp_path / "there.png")
    check_writable(tmp_path / "new.JPG")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder.png", "there.png"]


def test_folder_without_permission(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(os, "open", lambda *args: (_ for _ in ()).throw(PermissionError(errno.EACCES, "Permission denied")))
    with pytest.raises(OutputError, match="may not be written to"):
        check_writable(tmp_path / "out.png")


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_full_disk_or_interrupt_leaves_the_old_file_alone(tmp_path: Path, picture, monkeypatch, failure):
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(failure))
    with pytest.raises((OutputError, KeyboardInterrupt)) as raised:
        publish(picture, path, consent="Ann agreed", model="m")
    assert isinstance(raised.value, KeyboardInterrupt) or "no space left" in raised.value.message
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_write_cut_off_by_the_system(tmp_path: Path, picture):
    """The kernel lets a file grow to 1,000 bytes only, so that a part of it is really written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            publish(picture, tmp_path / "out.png", consent="Ann agreed", model="m")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


def test_mode_and_link_survive(tmp_path: Path, picture):
    real, link = tmp_path / "real.png", tmp_path / "link.png"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    publish(picture, link, consent="Ann agreed", model="m")
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    np.testing.assert_array_equal(read_picture(real).pixels, picture.pixels)
    old = os.umask(0o022)
    try:
        assert publish(picture, tmp_path / "new.png", consent="Ann agreed", model="m").stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(old)


def test_the_same_input_gives_the_same_bytes(tmp_path: Path, picture):
    files = [publish(picture, tmp_path / name, consent="Ann agreed", model="m") for name in ("a.png", "b.png")]
    assert files[0].read_bytes() == files[1].read_bytes()
