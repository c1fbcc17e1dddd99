"""Settings hold what the file says, and a file that says something else is refused."""

import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from facechange.core import Settings, SettingsError, cache_folder
from facechange.core.settings import data_folder, load_settings, settings_path


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACECHANGE_SETTINGS", str(tmp_path / "settings.toml"))
    return tmp_path / "settings.toml"


def test_the_example_holds_every_setting_at_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    example = Path(__file__).parents[2] / "docs" / "settings.toml"
    monkeypatch.setenv("FACECHANGE_SETTINGS", str(example))
    assert load_settings() == Settings()
    named = set(re.findall(r"^(?:# )?(\w+) = ", example.read_text(encoding="utf-8"), re.MULTILINE))
    assert named == {part.name for section in (Settings().consent, Settings().marking) for part in fields(section)}


def test_every_setting_is_read(file: Path) -> None:
    file.write_text(
        '[consent]\nsource_record = true\ntarget_record = true\npurposes = ["film"]\n'
        '[marking]\ncredentials = false\nwatermark = false\nlabel = true\nlabel_text = "made"\nlabel_corner = "top-left"\n'
        'certificate = "keys/me.pem"\nkey = "/etc/me.key"\ntime_stamp_url = "https://time.example"\n',
        encoding="utf-8",
    )
    settings = load_settings()
    assert (settings.consent.source_record, settings.consent.target_record, settings.consent.purposes) == (
        True,
        True,
        ("film",),
    )
    marking = settings.marking
    assert (marking.credentials, marking.watermark, marking.label, marking.label_text) == (False, False, True, "made")
    assert (marking.certificate, marking.key) == (file.parent / "keys/me.pem", Path("/etc/me.key"))
    assert (marking.label_corner, marking.time_stamp_url) == ("top-left", "https://time.example")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[consnet]\n", "unknown setting consnet"),
        ("[consent]\nsource_records = true\n", "unknown setting consent.source_records"),
        ("[consent]\nsource_record = 'yes'\n", "true or false"),
        ("[consent]\nsource_record = 1\n", "true or false"),
        ("[consent]\npurposes = 'film'\n", "list of texts"),
        ("[consent]\npurposes = [1]\n", "list of texts"),
        ("consent = true\n", "not a table"),
        ("[marking]\nlabel_text = 3\n", "text in quotes"),
        ("[marking]\nlabel_corner = 'middle'\n", "top-left"),
        ("[marking]\ncertificate = 'me.pem'\n", "only work together"),
        ("[consent\n", "not valid TOML"),
    ],
)
def test_what_is_not_understood_is_refused(file: Path, text: str, words: str) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=words) as raised:
        load_settings()
    assert str(file) in raised.value.message


def test_a_named_file_has_to_be_there_and_readable(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="missing"):
        load_settings()
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings()
    monkeypatch.setenv("FACECHANGE_SETTINGS", str(file.parent))
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the XDG base directories are Linux's")
def test_places_follow_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FACECHANGE_SETTINGS", "FACECHANGE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings() == Settings()
    assert settings_path() == tmp_path / ".config/facechange/settings.toml"
    assert data_folder() == tmp_path / ".local/share/facechange"
    assert cache_folder() == tmp_path / ".cache/facechange"
    monkeypatch.setenv("XDG_DATA_HOME", "relative is ignored")
    assert data_folder() == tmp_path / ".local/share/facechange"
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert data_folder() == Path("/data/facechange")
    monkeypatch.setenv("FACECHANGE_HOME", "/home-of-facechange")
    assert (data_folder(), cache_folder()) == (Path("/home-of-facechange"), Path("/home-of-facechange/cache"))
