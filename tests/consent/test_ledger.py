"""Lines are only added, none is lost, an altered one is named, and no clock brings consent back."""

import json
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from facechange.consent.ledger import _SCHEMA, NO_HASH, Ledger, Line, _hash
from facechange.consent.record import Record, Revocation
from facechange.consent.status import read_statuses
from facechange.core import ConsentError

NOON = datetime(2025, 5, 3, 12, tzinfo=UTC)


def add(ledger: Ledger, name: str) -> Line:
    return ledger.add(lambda lines, now: Revocation(f"fc-{name}", "fc-x", "", "me", now))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(tmp_path / "home" / "consent.sqlite", lambda: NOON)
    for name in "abc":
        add(ledger, name)
    return ledger


def alter(ledger: Ledger, *statements: str) -> None:
    """As somebody would who knows SQL."""
    with sqlite3.connect(ledger.path) as connection:
        for statement in ("DROP TRIGGER no_update", "DROP TRIGGER no_delete", "DROP TRIGGER no_gap", *statements):
            connection.execute(statement)
    connection.close()


def test_lines_come_back_in_order_and_bound_to_each_other(ledger: Ledger) -> None:
    lines = ledger.read()
    assert [line.number for line in lines] == [1, 2, 3]
    assert [line.entry.id for line in lines] == ["fc-a", "fc-b", "fc-c"]
    assert lines[0].entry.recorded_at == "2025-05-03T12:00:00Z"
    assert len({line.hash for line in lines}) == 3
    assert Ledger(ledger.path.with_name("none.sqlite")).read() == []
    assert not ledger.path.with_name("none.sqlite").exists()


def test_equal_entries_on_different_lines_have_different_hashes(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "consent.sqlite", lambda: NOON)
    assert add(ledger, "a").hash != add(ledger, "a").hash


def test_nothing_is_added_where_there_is_no_need(ledger: Ledger) -> None:
    assert ledger.add(lambda lines, now: lines[1]).number == 2
    assert len(ledger.read()) == 3


def test_only_its_owner_may_read_it(ledger: Ledger) -> None:
    assert ledger.path.stat().st_mode & 0o777 == 0o600
    assert ledger.path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE lines SET body = '{}'",
        "DELETE FROM lines",
        "INSERT INTO lines VALUES (9, '{}', '')",
        "REPLACE INTO lines VALUES (2, '{}', '')",
    ],
)
def test_the_file_itself_refuses_to_be_altered(ledger: Ledger, statement: str) -> None:
    connection = sqlite3.connect(ledger.path)
    with pytest.raises(sqlite3.IntegrityError, match=r"lines are (never|only)"):
        connection.execute(statement)
    connection.close()
    assert len(ledger.read()) == 3


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("UPDATE lines SET body = replace(body, 'me', 'us') WHERE number = 2", 2),
        ("UPDATE lines SET hash = replace(hash, 'a', 'b') WHERE number = 1", 1),
        ("UPDATE lines SET body = x'00' WHERE number = 3", 3),
        ("DELETE FROM lines WHERE number = 2", 2),
        ("DELETE FROM lines WHERE number = 1", 1),
        ("UPDATE lines SET number = CASE number WHEN 2 THEN 30 ELSE number END", 2),
    ],
)
def test_an_altered_line_is_named_and_nothing_rests_on_the_ledger(ledger: Ledger, statement: str, number: int) -> None:
    alter(ledger, statement)
    for use in (ledger.read, lambda: add(ledger, "d")):
        with pytest.raises(ConsentError, match=f"Line {number} of the consent ledger .* altered") as raised:
            use()
        assert raised.value.remedy


def test_what_is_no_ledger_is_said_to_be_damaged(ledger: Ledger) -> None:
    ledger.path.write_bytes(b"no database" * 100)
    with pytest.raises(ConsentError, match="damaged"):
        ledger.read()


def test_a_line_of_a_later_version_is_not_guessed_at(ledger: Ledger) -> None:
    with pytest.raises(ConsentError, match=r"Line 7 .* unknown kind"):
        _ = Line(7, '{"kind": "treaty"}', "").entry


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom facechange.consent.ledger import Ledger\n"
        "from facechange.consent.record import Revocation\n"
        "for number in range(15):\n"
        "    Ledger(Path(sys.argv[1])).add(lambda lines, now: Revocation(f'{sys.argv[2]}-{number}', 'fc-x', '', 'me', now))\n"
    )
    path = tmp_path / "consent.sqlite"
    writers = [subprocess.Popen([sys.executable, "-c", program, str(path), name]) for name in "abc"]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    ids = [line.entry.id for line in Ledger(path).read()]
    assert sorted(ids) == sorted(f"{name}-{number}" for name in "abc" for number in range(15))
    for name in "abc":  # each writer's own stay in its order
        assert [each for each in ids if each.startswith(name)] == [f"{name}-{number}" for number in range(15)]


def test_a_clock_paste_back_a_little_does_not_turn_time_back(ledger: Ledger) -> None:
    early = Ledger(ledger.path, lambda: NOON - timedelta(hours=3))
    assert add(early, "d").entry.recorded_at == "2025-05-03T12:00:00Z"
    late = Ledger(ledger.path, lambda: NOON + timedelta(hours=3))
    assert add(late, "e").entry.recorded_at == "2025-05-03T15:00:00Z"


def test_a_clock_paste_back_far_is_refused(ledger: Ledger) -> None:
    back = Ledger(ledger.path, lambda: datetime(1970, 1, 1, tzinfo=UTC))
    with pytest.raises(
        ConsentError, match="1970-01-01 00:00, but the consent ledger was last written on 2025-05-03 12:00"
    ):
        add(back, "d")
    assert len(ledger.read()) == 3


def test_a_ledger_that_cannot_be_written_is_one_sentence(tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConsentError, match=r"cannot be used: .*") as raised:
        add(Ledger(tmp_path / "file" / "consent.sqlite"), "a")
    assert "FACECHANGE_HOME" in raised.value.remedy
    with pytest.raises(ConsentError, match="cannot be used"):
        add(Ledger(tmp_path), "a")


def test_a_ledger_locked_by_another_is_waited_for_and_then_refused(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facechange.consent.ledger.WAIT_SECONDS", 0.05)
    other = sqlite3.connect(ledger.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ConsentError, match="cannot be used: database is locked"):
        add(ledger, "d")
    other.close()
    assert add(ledger, "d").number == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a limit on file sizes")
def test_a_full_disk_leaves_the_ledger_as_it_was(ledger: Ledger) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ledger.path.stat().st_size, hard))
    try:
        with pytest.raises(ConsentError, match="cannot be used"):
            ledger.add(lambda lines, now: Revocation("fc-d", "fc-x", "long " * 10_000, "me", now))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(ledger.read()) == 3
    assert add(ledger, "d").number == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recorded_at": "yesterday"}, "unknown kind"),
        ({"recorded_at": "2025-05-03"}, "unknown kind"),
        ({"recorded_at": 5}, "unknown kind"),
        ({"basis": "guess"}, "unknown kind"),
        ({"kind": "gift"}, "unknown kind"),
        ({"rests_on": ["fc-aaaaaaaa"]}, "no older line"),
        ({"rests_on": ["fc-bbbbbbbb"]}, "no older line"),
    ],
)
def test_whoever_forges_the_whole_chain_still_gets_sentences(tmp_path: Path, changes: dict, words: str) -> None:
    """Hashes that fit do not make sense of what they bind."""
    details = dict.fromkeys(Record.__dataclass_fields__, "") | {
        "id": "fc-aaaaaaaa",
        "basis": "self",
        "added": True,
        "sources": ["ab"],
    }
    body = json.dumps(
        {"kind": "record", **details, "targets": [], "rests_on": [], "recorded_at": "2025-05-03T12:00:00Z", **changes}
    )
    ledger = Ledger(tmp_path / "consent.sqlite", lambda: NOON)
    assert ledger.add(lambda lines, now: Line(1, "", "")) == Line(1, "", "")  # makes the file and its table
    with sqlite3.connect(ledger.path) as connection:
        connection.execute(_SCHEMA.split(";")[0])
        connection.execute("INSERT INTO lines VALUES (1, ?, ?)", (body, _hash(NO_HASH, body)))
    connection.close()
    if words == "unknown kind":
        with pytest.raises(ConsentError, match=words):
            read_statuses(ledger)
    else:
        (status,) = read_statuses(ledger).all()
        assert not status.in_force and words in status.reason


def test_lines_of_the_release_before_are_read_in_its_words(tmp_path: Path) -> None:
    record = dict.fromkeys(Record.__dataclass_fields__, "") | {
        "kind": "record",
        "id": "fc-aaaaaaaa",
        "way": "self",
        "added": True,
    }
    record |= {"sources": ["ab"], "targets": [], "rests_on": [], "recorded_at": "2025-05-03T12:00:00Z"}
    del record["basis"]
    end = {
        "kind": "withdrawal",
        "id": "fc-bbbbbbbb",
        "withdraws": "fc-aaaaaaaa",
        "reason": "asked",
        "recorded_by": "me",
    }
    end["recorded_at"] = "2025-05-03T13:00:00Z"
    ledger = Ledger(tmp_path / "consent.sqlite", lambda: NOON)
    assert ledger.add(lambda lines, now: Line(1, "", "")) == Line(1, "", "")
    with sqlite3.connect(ledger.path) as connection:
        connection.execute(_SCHEMA.split(";")[0])
        before = NO_HASH
        for number, body in enumerate(map(json.dumps, (record, end)), 1):
            before = _hash(before, body)
            connection.execute("INSERT INTO lines VALUES (?, ?, ?)", (number, body, before))
    connection.close()
    (status,) = read_statuses(ledger).all()
    assert (status.record.basis, status.state) == ("self", "revoked") and "asked" in status.reason
