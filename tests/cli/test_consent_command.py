"""`facechange consent` and what `swap` makes of it, through the command line."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facechange.swap
from facechange.consent import load_context
from facechange.provenance import read_statement
from facechange.swap import Swapper

ORANGE, YELLOW = (230, 110, 60), (235, 190, 40)
ADD = ("consent", "add", "a.png", "b.png", "--who", "Ann Example", "--role", "both")


@pytest.fixture(autouse=True)
def pictures(
    toy_swapper: Swapper, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, faces_picture: Callable[..., np.ndarray]
) -> None:
    """The toy networks, a ledger of their own, and two pictures in `tmp_path`."""
    monkeypatch.setenv("FACECHANGE_HOME", str(tmp_path / "home"))
    Image.fromarray(faces_picture({(200, 150): ORANGE}, height=160)).save(tmp_path / "a.png")
    Image.fromarray(faces_picture({(80, 150): YELLOW, (300, 150): YELLOW})).save(tmp_path / "b.png")
    monkeypatch.setattr(facechange.swap, "load_swapper", lambda *_, **__: toy_swapper)


def test_a_record_is_added_shown_used_and_revoked(run: Callable, tmp_path: Path) -> None:
    (tmp_path / "release.pdf").write_bytes(b"signed")
    given = (
        "--basis",
        "release",
        "--release",
        "release.pdf",
        "--purpose",
        "film",
        "--until",
        "2999-01-31",
        "--by",
        "Bea",
    )
    code, out, err = run(*ADD, *given)
    assert (code, err) == (0, "")
    number = out[:11]
    assert out == f'{number}  Ann Example, source and target of 2 pictures, release, for "film", until 2999-01-31\n'
    assert run("consent", "list")[1] == run("consent", "list", "b.png")[1] == out
    code, shown, _ = run("consent", "show", number)
    assert code == 0
    for words in ("in force", "Ann Example", "written release", "film", "2999-01-31", "by Bea"):
        assert words in shown
    details = json.loads(run("consent", "show", number, "--json")[1])
    assert (details["id"], details["state"], details["line"], len(details["sources"])) == (number, "in force", 1, 2)
    assert run("consent", "show", details["hash"])[1] == shown

    assert run("swap", "a.png", "b.png", "-o", "out.png", "--consent", number)[0] == 6
    assert run("swap", "a.png", "b.png", "-o", "out.png", "--consent", number, "--purpose", "film")[0] == 0
    assert number in read_statement(tmp_path / "out.png")["consent"]
    assert run("masks", "a.png", "b.png", "-o", "sheet.png", "--consent", number, "--purpose", "film")[0] == 0

    code, out, _ = run("consent", "revoke", number, "--reason", "changed her mind")
    assert code == 0 and number in out
    assert "changed her mind" in run("consent", "show", number)[1]
    code, _, err = run("swap", "a.png", "b.png", "-o", "again.png", "--consent", number, "--purpose", "film")
    assert (code, err.count("\n")) == (6, 1) and "revoked" in err
    assert not (tmp_path / "again.png").exists()
    code, out, err = run("consent", "list")
    assert (code, out) == (0, "") and "no such record" in err
    assert number in run("consent", "list", "--all")[1]


def test_a_sentence_makes_a_record_that_list_keeps_back(run: Callable) -> None:
    code, _, err = run("swap", "a.png", "b.png", "-o", "out.png", "--consent", "Both agreed.", "-v")
    assert code == 0 and "Consent: fc-" in err
    assert run("consent", "list")[1] == ""
    assert '"Both agreed.", source and target of 2 pictures, statement' in run("consent", "list", "--all")[1]
    assert "Both agreed." in run("consent", "list", "a.png")[1]


def test_the_ledger_is_checked_and_an_altered_line_named(run: Callable) -> None:
    assert run("consent", "check")[1].endswith("0 lines, none altered.\n")
    run(*ADD, "--basis", "self")
    assert load_context().ledger.read()[-1].hash in run("consent", "check")[1]
    with sqlite3.connect(load_context().ledger.path) as connection:
        connection.execute("DROP TRIGGER no_update")
        connection.execute("UPDATE lines SET body = replace(body, 'Ann', 'Eve')")
    connection.close()
    for words in (
        ("consent", "check"),
        ("consent", "list"),
        ("swap", "a.png", "b.png", "-o", "out.png", "--consent", "Both agreed."),
    ):
        code, out, err = run(*words)
        assert (code, out, err.count("\n")) == (6, "", 1) and "Line 1 of" in err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((*ADD, "--basis", "hearsay"), 2, "hearsay"),
        ((*ADD, "--basis", "self", "--until", "soon"), 2, "soon"),
        ((*ADD, "--basis", "self", "--until", "2001-01-01"), 6, "over"),
        ((*ADD, "--basis", "release"), 6, "release"),
        ((*ADD, "--basis", "release", "--release", "none.pdf"), 3, "none.pdf"),
        (("consent", "add", "none.png", "--who", "x", "--role", "source", "--basis", "self"), 3, "none.png"),
        (("consent", "show", "fc-aaaaaaaa"), 6, "fc-aaaaaaaa"),
        (("consent", "revoke", "fc-aaaaaaaa"), 6, "fc-aaaaaaaa"),
    ],
)
def test_what_makes_no_record_is_said(
    run: Callable, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    stopped, out, err = run(*words)
    assert (stopped, out) == (code, "")
    assert said in err and "Traceback" not in err
    assert load_context().ledger.read() == []


def test_broken_settings_stop_a_change_before_it_begins(
    run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.toml").write_text("[consent]\nsource_recrod = true\n")
    monkeypatch.setenv("FACECHANGE_SETTINGS", str(tmp_path / "settings.toml"))
    code, _, err = run("swap", "a.png", "b.png", "-o", "out.png", "--consent", "Both agreed.")
    assert (code, err.count("\n")) == (10, 1) and "source_recrod" in err
    assert not (tmp_path / "out.png").exists()
