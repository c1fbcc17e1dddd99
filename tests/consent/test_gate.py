"""No change without consent: what is granted, what is refused, and what a statement leaves in the ledger."""

import ast
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

import facechange
from facechange.consent import Context, load_context, require_evaluation_grant, require_grant
from facechange.consent.gate import clean_statement
from facechange.consent.ledger import Ledger
from facechange.consent.record import Record
from facechange.consent.recording import record_consent, revoke_consent
from facechange.consent.status import look_up
from facechange.core import ConsentError, PictureError

CLOCK = {"now": lambda: datetime.now(UTC)}
TEXT = "Ann Example and everyone in the picture agreed on 3 May"


def here() -> Context:
    """The context as it is now, by the clock of the test."""
    return load_context(CLOCK["now"])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACECHANGE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def ann(tmp_path: Path) -> Path:
    (tmp_path / "ann.jpg").write_bytes(b"Ann's face")
    return tmp_path / "ann.jpg"


@pytest.fixture
def party(tmp_path: Path) -> Path:
    (tmp_path / "party.jpg").write_bytes(b"a party")
    return tmp_path / "party.jpg"


def recorded(*pictures: Path, role: str = "source", **details: object) -> Record:
    return record_consent(here(), pictures, who="Ann Example", role=role, basis="self", **details)


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Set the ledger's clock to noon of a day."""

    def set_day(day: str) -> None:
        monkeypatch.setitem(CLOCK, "now", lambda: datetime.fromisoformat(f"{day}T12:00:00+00:00"))

    return set_day


def test_only_require_grant_makes_a_grant() -> None:
    makers = set()
    for path in Path(facechange.__file__).parent.rglob("*.py"):
        calls = (
            node.func for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
        )
        makers |= {
            path.name
            for call in calls
            if (call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "")) == "Grant"
        }
    assert makers == {"gate.py"}


@pytest.mark.parametrize("missing", [None, "", "  \n", "...", "\0\x1b"])
def test_consent_is_required(ann: Path, party: Path, home: Path, missing: str | None) -> None:
    with pytest.raises(ConsentError, match="agreed") as raised:
        require_grant(here(), missing, [ann], [party])
    assert "--consent" in raised.value.remedy
    assert not home.exists()


def test_a_statement_is_one_clean_line() -> None:
    assert clean_statement(" We\n all\tagreed\0\ud800\x1b\x9b\u202e ") == "We all agreed"
    with pytest.raises(ConsentError, match="longer"):
        clean_statement("a" * 5000)


@pytest.mark.parametrize("word", ["yes", "Agreed!", "да", "同意", "x"])
def test_one_word_is_no_statement(ann: Path, party: Path, home: Path, word: str) -> None:
    with pytest.raises(ConsentError, match="does not say who agreed") as raised:
        require_grant(here(), word, [ann], [party])
    assert "agreed to this on" in raised.value.remedy and '"self"' in raised.value.remedy
    assert not home.exists()
    record = recorded(ann)
    with pytest.raises(ConsentError, match="does not say who agreed"):
        require_grant(here(), f"{record.id}, {word}", [ann], [party])
    with pytest.raises(ConsentError, match="does not say who agreed"):
        recorded(ann, statement=word)
    assert require_grant(here(), f"{record.id}, self", [ann], [party]).basis == "self"


@pytest.mark.parametrize("words", ["Ann agreed", "照片里的人都同意了"])
def test_a_sentence_is_one_also_where_writing_has_no_spaces(ann: Path, party: Path, words: str) -> None:
    assert require_grant(here(), words, [ann], [party]).statement == words


def test_a_data_set_is_changed_to_see_what_a_model_does_and_the_record_says_so(
    ann: Path, party: Path, today: Callable[[str], None]
) -> None:
    grant = require_evaluation_grant(here(), [ann])
    assert grant.basis == "evaluation" and "to see what the model does" in grant.statement
    record = look_up(here().ledger, grant.id).record
    assert (record.basis, record.purpose, record.sources, record.targets) == (
        "evaluation",
        "evaluation",
        record.targets,
        record.sources,
    )
    assert require_evaluation_grant(here(), [ann]) == grant and len(here().ledger.read()) == 1
    with pytest.raises(ConsentError, match='"evaluation" does not say who agreed'):
        require_grant(here(), "evaluation", [ann], [party])
    revoke_consent(here(), grant.id, "the set was taken back")
    with pytest.raises(ConsentError, match="taken back"):
        require_evaluation_grant(here(), [ann])
    require_evaluation_grant(here(), [party])


@pytest.mark.parametrize("rule", ["source_record = true", "target_record = true", 'purposes = ["film"]'])
def test_an_operator_can_want_more_for_a_data_set_too(
    ann: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    (tmp_path / "settings.toml").write_text(f"[consent]\n{rule}\n", encoding="utf-8")
    monkeypatch.setenv("FACECHANGE_SETTINGS", str(tmp_path / "settings.toml"))
    with pytest.raises(ConsentError):
        require_evaluation_grant(here(), [ann])


@pytest.mark.parametrize(
    ("words", "basis", "statement"),
    [
        (TEXT, "statement", TEXT),
        ("self", "self", "I am the person in these pictures."),
        ("Synthetic", "synthetic", "Nobody in these pictures exists."),
    ],
)
def test_a_statement_makes_a_record_once(ann: Path, party: Path, words: str, basis: str, statement: str) -> None:
    grant = require_grant(here(), words, [ann], [party])
    assert (grant.basis, grant.statement, grant.persona) == (basis, statement, False)
    status = look_up(here().ledger, grant.id)
    assert status is not None and status.in_force and status.line.hash == grant.record_hash
    record = status.record
    assert (len(record.sources), len(record.targets), record.added, record.who) == (1, 1, False, "")
    assert record.sources != record.targets
    assert require_grant(here(), words, [ann], [party]) == grant
    assert require_grant(here(), words, [party], [ann]) != grant
    assert len(here().ledger.read()) == 2


def test_the_ledger_holds_neither_names_of_files_nor_pictures(ann: Path, party: Path, home: Path) -> None:
    require_grant(here(), TEXT, [ann], [party])
    written = b"".join(path.read_bytes() for path in home.iterdir())
    assert b"Ann's face" not in written and b"party.jpg" not in written


def test_a_record_of_both_roles_is_enough_and_says_no_name(ann: Path, party: Path) -> None:
    record = recorded(ann, party, role="both")
    grant = require_grant(here(), record.id.upper(), [ann], [party])
    assert (grant.id, grant.basis) == (record.id, "self")
    assert record.id in grant.statement and "Ann" not in grant.statement
    assert len(here().ledger.read()) == 1


def test_a_source_record_leaves_the_target_to_be_spoken_for(ann: Path, party: Path) -> None:
    source = recorded(ann)
    with pytest.raises(ConsentError, match=r"nothing about the people in party\.jpg"):
        require_grant(here(), source.id, [ann], [party])
    with pytest.raises(ConsentError, match="nothing about"):
        require_grant(here(), f"{source.id}.", [ann], [party])
    stated = require_grant(here(), f"{source.id}, the party agreed", [ann], [party])
    assert stated.statement == f"consent record {source.id} (the person's own pictures); the party agreed"
    target = recorded(party, role="target")
    both = require_grant(here(), f"{source.id} {target.id}", [ann], [party])
    record = look_up(here().ledger, both.id).record
    assert record.rests_on == (source.id, target.id)
    revoke_consent(here(), target.id)
    assert look_up(here().ledger, both.id).state == "revoked" and target.id in look_up(here().ledger, both.id).reason
    assert look_up(here().ledger, stated.id).in_force


def test_records_are_for_their_pictures_roles_and_purpose(ann: Path, party: Path, tmp_path: Path) -> None:
    (tmp_path / "bob.jpg").write_bytes(b"Bob's face")
    record = recorded(ann, party, role="both", purpose="spring campaign")
    target_only = recorded(ann, role="target")
    with pytest.raises(ConsentError, match=r"bob\.jpg"):
        require_grant(here(), record.id, [tmp_path / "bob.jpg"], [party], "spring campaign")
    with pytest.raises(ConsentError, match=r"bob\.jpg"):
        require_grant(here(), f"{record.id}, all agreed", [ann, tmp_path / "bob.jpg"], [party], "spring campaign")
    with pytest.raises(ConsentError, match=r"ann\.jpg give the identity"):
        require_grant(here(), f"{target_only.id}, all agreed", [ann], [party])
    for purpose in ("", "summer campaign"):
        with pytest.raises(ConsentError, match='given for "spring campaign"') as raised:
            require_grant(here(), record.id, [ann], [party], purpose)
        assert '--purpose "spring campaign"' in raised.value.remedy
    assert require_grant(here(), record.id, [ann], [party], " Spring  campaign").id == record.id
    ann.write_bytes(b"another face under the same name")
    with pytest.raises(ConsentError, match=r"ann\.jpg"):
        require_grant(here(), record.id, [ann], [party], "spring campaign")


def test_unknown_and_revoked_records_are_refused(ann: Path, party: Path) -> None:
    with pytest.raises(ConsentError, match="no record of consent fc-aaaaaaaa"):
        require_grant(here(), "fc-aaaaaaaa", [ann], [party])
    record = recorded(ann, party, role="both")
    revoke_consent(here(), record.id, "changed her mind")
    with pytest.raises(ConsentError, match=rf"{record.id} was revoked on .* \(changed her mind\)"):
        require_grant(here(), record.id, [ann], [party])
    with pytest.raises(ConsentError, match=r"revoked .* already"):
        revoke_consent(here(), record.id)
    with pytest.raises(ConsentError, match="no record"):
        revoke_consent(here(), "fc-aaaaaaaa")


def test_words_do_not_bring_back_what_was_revoked(ann: Path, party: Path, tmp_path: Path) -> None:
    revoke_consent(here(), recorded(ann).id)
    for words in (TEXT, "self", "synthetic"):
        with pytest.raises(ConsentError, match=r"for ann\.jpg was revoked"):
            require_grant(here(), words, [ann], [party])
    require_grant(here(), TEXT, [party], [ann])  # her pictures as targets were another matter
    again = recorded(ann)
    assert require_grant(here(), f"{again.id}, all agreed", [ann], [party]).basis == "self"


def test_a_revoked_statement_is_not_made_again(ann: Path, party: Path) -> None:
    revoke_consent(here(), require_grant(here(), TEXT, [ann], [party]).id)
    with pytest.raises(ConsentError, match="was revoked"):
        require_grant(here(), TEXT, [ann], [party])


def test_a_record_ends_after_its_last_day_even_if_the_clock_is_paste_back(
    ann: Path, party: Path, today: Callable[[str], None]
) -> None:
    today("2025-05-03")
    record = recorded(ann, party, role="both", until=date(2025, 5, 4))
    today("2025-05-04")
    assert require_grant(here(), record.id, [ann], [party]).id == record.id
    today("2025-05-05")
    with pytest.raises(ConsentError, match="ended on 2025-05-04"):
        require_grant(here(), record.id, [ann], [party])
    require_grant(here(), TEXT, [ann], [party])  # writes a line on the fifth
    today("2025-05-04")
    with pytest.raises(ConsentError, match="ended on 2025-05-04"):
        require_grant(here(), record.id, [ann], [party])
    with pytest.raises(ConsentError, match="is over"):
        recorded(ann, until=date(2025, 5, 3))


def test_an_operator_can_ask_for_records(ann: Path, party: Path, settings: Callable[[str], None]) -> None:
    loose = require_grant(here(), TEXT, [ann], [party])
    settings("[consent]\nsource_record = true\n")
    for words in (TEXT, "self", "synthetic", loose.id):
        with pytest.raises(ConsentError, match=r"ann\.jpg"):
            require_grant(here(), words, [ann], [party])
    source = recorded(ann)
    assert require_grant(here(), f"{source.id}, all agreed", [ann], [party]).basis == "self"
    settings("[consent]\nsource_record = true\ntarget_record = true\n")
    with pytest.raises(ConsentError, match=r"party\.jpg has none"):
        require_grant(here(), f"{source.id}, all agreed", [ann], [party])
    target = recorded(party, role="target")
    require_grant(here(), f"{source.id}, {target.id}", [ann], [party])


def test_an_operator_can_list_purposes(ann: Path, party: Path, settings: Callable[[str], None]) -> None:
    settings('[consent]\npurposes = ["film", "research"]\n')
    with pytest.raises(ConsentError, match="No purpose is stated") as raised:
        require_grant(here(), TEXT, [ann], [party])
    assert "film, research" in raised.value.remedy
    with pytest.raises(ConsentError, match='"fun" is no purpose'):
        require_grant(here(), TEXT, [ann], [party], "fun")
    assert look_up(here().ledger, require_grant(here(), TEXT, [ann], [party], "Film").id).record.purpose == "Film"


def test_a_persona_needs_no_source_but_the_targets_a_basis(party: Path, settings: Callable[[str], None]) -> None:
    settings("[consent]\nsource_record = true\n")
    grant = require_grant(here(), "Taken in a public street for the news", [], [party], persona=True)
    assert grant.persona
    with pytest.raises(ConsentError, match="agreed"):
        require_grant(here(), None, [], [party], persona=True)
    target = recorded(party, role="target")
    assert require_grant(here(), target.id, [], [party], persona=True).id == target.id


def test_records_need_their_facts(ann: Path, tmp_path: Path) -> None:
    release = tmp_path / "release.pdf"
    release.write_bytes(b"signed")
    record = record_consent(here(), [ann], who="Ann", role="source", basis="release", release=release)
    assert len(record.release) == 64 and record.until == "" and record.targets == ()
    for details, words in (
        ({"who": " "}, "label"),
        ({"basis": "statement"}, "not given by"),
        ({"basis": "release"}, "belong together"),
        ({"release": release}, "belong together"),
        ({"pictures": []}, "none was given"),
    ):
        arguments = {"pictures": [ann], "who": "Ann", "role": "source", "basis": "self", **details}
        with pytest.raises(ConsentError, match=words):
            record_consent(here(), arguments.pop("pictures"), **arguments)
    assert len(here().ledger.read()) == 1


def test_files_that_cannot_be_hashed_are_refused_and_nothing_is_recorded(ann: Path, tmp_path: Path, home: Path) -> None:
    for path, words in (
        (tmp_path / "none.jpg", "does not exist"),
        (tmp_path, "folder"),
        (Path("/dev/null"), "not a file"),
    ):
        with pytest.raises(PictureError, match=words):
            require_grant(here(), TEXT, [ann], [path])
    assert not home.exists()


def test_a_record_serves_where_the_ledger_cannot_be_written(
    ann: Path, party: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = recorded(ann, party, role="both")

    def refuse(_: Ledger) -> None:
        raise ConsentError("The consent ledger cannot be used.")

    monkeypatch.setattr(Ledger, "_make_file", refuse)
    assert require_grant(here(), record.id, [ann], [party]).id == record.id
    with pytest.raises(ConsentError, match="cannot be used"):
        require_grant(here(), TEXT, [ann], [party])


def test_an_altered_ledger_grants_nothing(ann: Path, party: Path) -> None:
    import sqlite3

    record = recorded(ann, party, role="both", until=datetime.now(UTC).date() + timedelta(days=9))
    with sqlite3.connect(here().ledger.path) as connection:
        connection.execute("DROP TRIGGER no_update")
        (body,) = connection.execute("SELECT body FROM lines").fetchone()
        connection.execute("UPDATE lines SET body = ?", (json.dumps({**json.loads(body), "until": ""}),))
    connection.close()
    for words in (record.id, TEXT):
        with pytest.raises(ConsentError, match="Line 1 of the consent ledger"):
            require_grant(here(), words, [ann], [party])
    with pytest.raises(ConsentError, match="Line 1"):
        look_up(here().ledger, record.id)
