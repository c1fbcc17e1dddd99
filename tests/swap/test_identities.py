"""An identity that is kept: the same person again, sealed if asked, and no freer than the pictures it was read from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facechange.consent import load_context, require_grant
from facechange.consent.recording import record_identity, revoke_consent
from facechange.core import ConsentError, OutputError, PictureError
from facechange.faces.select import FaceSelector
from facechange.swap import Swapper, assign_sources, change_photograph, request_change
from facechange.swap.assignment import read_identity
from facechange.swap.identities import PASSPHRASE_VARIABLE, Identity, is_sealed, read_passphrase
from facechange.swap.people import People, parse_map

ORANGE, YELLOW = (240, 120, 0), (240, 240, 0)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faces_picture: Callable[..., np.ndarray]) -> Path:
    monkeypatch.setenv("FACECHANGE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(PASSPHRASE_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    for name, colour in (("ann-1.png", ORANGE), ("ann-2.png", (230, 130, 10)), ("party.png", YELLOW)):
        Image.fromarray(faces_picture({(200, 150): colour})).save(name)
    return tmp_path


def keep(swapper: Swapper, passphrase: str = "") -> tuple[Identity, str]:
    """Ann's identity at ann.fcid, and the number of its record of consent."""
    pictures = [Path("ann-1.png"), Path("ann-2.png")]
    grant = require_grant(load_context(), "Ann agreed on 2 May that we keep this", pictures, [])
    identity = read_identity(swapper, grant, pictures, "Ann")
    identity.save("ann.fcid", passphrase)
    return identity, record_identity(grant, Path("ann.fcid")).id


@pytest.mark.parametrize("passphrase", ["", "correct horse"])
def test_it_is_the_mean_over_the_pictures_and_comes_back_as_it_was(toy_swapper: Swapper, passphrase: str) -> None:
    identity, _ = keep(toy_swapper, passphrase)
    np.testing.assert_array_equal(identity.vector, toy_swapper.identify("ann-1.png", "ann-2.png"))
    again = Identity.load("ann.fcid", passphrase)
    np.testing.assert_array_equal(again.vector, identity.vector)
    assert (again.name, again.pictures, again.consent) == ("Ann", 2, identity.consent)
    assert Path("ann.fcid").stat().st_mode & 0o777 == 0o600
    assert is_sealed(Path("ann.fcid")) == bool(passphrase)
    assert ('"Ann"' in Path("ann.fcid").read_text()) == (not passphrase), "a sealed file tells nothing"
    assert "vector" not in repr(again)


def test_it_is_a_source_like_any_picture(toy_swapper: Swapper) -> None:
    identity, record = keep(toy_swapper)
    target, output = Path("party.png"), Path("out.png")
    grant = request_change(
        load_context(), [Path("ann.fcid")], target, output, f"{record}, everyone at the party agreed"
    )
    assert not grant.persona
    done = change_photograph(toy_swapper, assign_sources(toy_swapper, [Path("ann.fcid")]), target, output, grant=grant)
    expected = toy_swapper.change(target, identity).image
    # but for the watermark
    assert done.faces == 1 and np.abs(np.asarray(Image.open(output)).astype(int) - expected).max() <= 12
    people = parse_map(["ann.fcid=left", "ann-1.png=right"])
    assert people.files == [Path("ann.fcid"), Path("ann-1.png")]


def test_it_may_be_used_for_as_long_as_its_pictures(toy_swapper: Swapper) -> None:
    identity, record = keep(toy_swapper)
    with pytest.raises(ConsentError, match="agreed"):
        request_change(load_context(), [Path("ann.fcid")], Path("party.png"), Path("out.png"), None)
    revoke_consent(load_context(), identity.consent, "she asked")
    for words in (record, f"{record}, all agreed", "They all agreed on 3 May"):
        with pytest.raises(ConsentError, match=r"revoked .*she asked"):
            request_change(load_context(), [Path("ann.fcid")], Path("party.png"), Path("out.png"), words)


def test_a_passphrase_is_needed_and_has_to_be_the_right_one(
    toy_swapper: Swapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(toy_swapper, "correct horse")
    for passphrase, words in (("", "is sealed"), ("wrong", "not that of")):
        with pytest.raises(PictureError, match=words) as raised:
            assign_sources(toy_swapper, [Path("ann.fcid")], None, passphrase)
        assert raised.value.remedy
    asked = read_passphrase([Path("ann-1.png"), Path("ann.fcid")], lambda path: f"for {path}")
    assert asked == "for ann.fcid"
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "correct horse")
    people = People(((Path("ann.fcid"),),), FaceSelector(), passphrase=read_passphrase([Path("ann.fcid")], str))
    np.testing.assert_array_equal(
        people.assign(toy_swapper).everyone, Identity.load("ann.fcid", "correct horse").vector
    )


def test_what_is_no_identity_is_refused(toy_swapper: Swapper) -> None:
    identity, _ = keep(toy_swapper)
    table = json.loads(Path("ann.fcid").read_text())
    broken = {
        "kind": {**table, "kind": "facechange persona"},
        "extra": {**table, "more": 1},
        "short": {**table, "identity": []},
        "long": {**table, "identity": [2.0, *table["identity"][1:]]},
        "nan": {**table, "identity": [float("nan")] * 512},
        "sealed": {"kind": table["kind"], "salt": "!", "nonce": "", "sealed": "x"},
    }
    for name, each in broken.items():
        Path(f"{name}.fcid").write_text(json.dumps(each))
        with pytest.raises(PictureError, match="not a kept identity"):
            Identity.load(f"{name}.fcid", "x")
    with pytest.raises(PictureError, match="no identity"):
        Identity.load("missing.fcid")
    with pytest.raises(OutputError, match=r"\.fcid"):
        identity.save("ann.json")
    replace(identity, network="00" * 32).save("other.fcid")
    with pytest.raises(PictureError, match="other networks"):
        assign_sources(toy_swapper, [Path("other.fcid")])
    for sources in ([Path("ann.fcid"), Path("ann-1.png")], [Path("ann.fcid"), Path("other.fcid")]):
        with pytest.raises(PictureError, match="not one person"):
            assign_sources(toy_swapper, sources)


def test_a_picture_that_was_swapped_meanwhile_is_not_read(toy_swapper: Swapper) -> None:
    pictures = [Path("ann-1.png")]
    grant = require_grant(load_context(), "Ann agreed on 2 May", pictures, [])
    Path("party.png").replace("ann-1.png")
    with pytest.raises(ConsentError, match="not the file"):
        read_identity(toy_swapper, grant, pictures, "Ann")


def test_the_command_keeps_shows_and_seals(toy_swapper: Swapper, monkeypatch: pytest.MonkeyPatch) -> None:
    from facechange.cli.app import app

    monkeypatch.setattr("facechange.swap.load_swapper", lambda *_: toy_swapper)
    words = ["identity", "new", "ann.fcid", "ann-1.png", "ann-2.png", "--consent", "Ann agreed on 2 May"]
    said = CliRunner().invoke(app, [*words, "--encrypt"], env={PASSPHRASE_VARIABLE: "correct horse"})
    assert said.exit_code == 0 and "ann, of 2 pictures, sealed; consent fc-" in said.output, said.output
    shown = CliRunner().invoke(app, ["identity", "show", "ann.fcid"], env={PASSPHRASE_VARIABLE: "correct horse"})
    assert "ann, of 2 pictures; consent fc-" in shown.output
    unasked = CliRunner().invoke(app, ["identity", "show", "ann.fcid"])
    assert isinstance(unasked.exception, PictureError) and PASSPHRASE_VARIABLE in unasked.exception.remedy
