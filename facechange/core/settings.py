"""What the operator of an installation decides, in one TOML file, and where facechange keeps what it has to
remember."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from facechange.core.errors import SettingsError
from facechange.core.stored import parse_toml

CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")
_KINDS: dict[str, tuple[type, str]] = {  # a setting's type here: its type in TOML, in words
    "bool": (bool, "true or false"),
    "str": (str, "a text in quotes"),
    "Path | None": (str, "a file name in quotes"),
    "tuple[str, ...]": (list, 'a list of texts, as in ["film", "research"]'),
}
_Section = TypeVar("_Section", "ConsentSettings", "MarkingSettings")


@dataclass(frozen=True)
class ConsentSettings:
    """How strict consent is. Nothing here can make it laxer than the defaults."""

    source_record: bool = False  # the pictures that give the identity need a record made by `facechange consent add`
    target_record: bool = False  # so do the pictures that are changed
    purposes: tuple[str, ...] = ()  # the only purposes a change may have; empty: any, or none stated


@dataclass(frozen=True)
class MarkingSettings:
    """How results are marked as made by a model, and by whom they are signed."""

    credentials: bool = True  # a signed C2PA manifest
    watermark: bool = True  # an invisible one
    label: bool = False  # a visible one
    live_label: bool = True  # the visible one on live pictures
    label_text: str = "AI"
    label_corner: str = "bottom-right"  # one of CORNERS
    # PEM, the signer's first and then the chain; facechange makes its own where there is none
    certificate: Path | None = None
    key: Path | None = None  # PEM, the private key of `certificate`
    time_stamp_url: str = ""  # of an RFC 3161 service; nothing is sent anywhere where it is empty


@dataclass(frozen=True)
class Settings:
    """The settings in force."""

    consent: ConsentSettings = field(default_factory=ConsentSettings)
    marking: MarkingSettings = field(default_factory=MarkingSettings)


@dataclass(frozen=True)
class Folders:
    """Where facechange keeps things."""

    data: Path  # the ledger, the signing keys, what was published; may not exist yet
    settings: Path  # the operator's file, there or not

    @classmethod
    def find(cls) -> Folders:
        """Those of whoever runs this."""
        return cls(data_folder(), settings_path())


def load_settings() -> Settings:
    """The settings of `settings_path()`; the defaults where there is no such file.

    Raises `SettingsError` for a file that cannot be read, an unknown name or a value of a wrong kind: a misspelt rule
    must not pass for a rule that is kept. A file that FACECHANGE_SETTINGS names has to be there.
    """
    path = settings_path()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if "FACECHANGE_SETTINGS" not in os.environ:
            return Settings()
        raise SettingsError(
            f"The settings file {path} is missing.", "FACECHANGE_SETTINGS names it; correct or unset that."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {path} cannot be read ({error}).") from None
    try:
        tables = parse_toml(text)
    except ValueError as error:
        raise SettingsError(f"The settings file {path} is not valid TOML: {error}.") from None
    _refuse_unknown(path, tables, Settings, "")
    return Settings(
        _read_section(path, "consent", tables.get("consent", {}), ConsentSettings()),
        _check_marking(path, _read_section(path, "marking", tables.get("marking", {}), MarkingSettings())),
    )


def settings_path() -> Path:
    """The file that holds the operator's settings, there or not: FACECHANGE_SETTINGS, else one in the platform's place
    for them."""
    if named := os.environ.get("FACECHANGE_SETTINGS"):
        return Path(named)
    return _platform_folder("XDG_CONFIG_HOME", ".config", "APPDATA", "Library/Application Support") / "settings.toml"


def data_folder() -> Path:
    """Where the ledger and the signing key are; FACECHANGE_HOME, else the platform's place for a user's data. May not
    exist yet."""
    if home := os.environ.get("FACECHANGE_HOME"):
        return Path(home)
    return _platform_folder("XDG_DATA_HOME", ".local/share", "LOCALAPPDATA", "Library/Application Support")


def cache_folder() -> Path:
    """Where what can be made again is kept. May not exist yet."""
    if home := os.environ.get("FACECHANGE_HOME"):
        return Path(home) / "cache"
    folder = _platform_folder("XDG_CACHE_HOME", ".cache", "LOCALAPPDATA", "Library/Caches")
    return folder / "cache" if sys.platform == "win32" else folder


def _platform_folder(variable: str, below_home: str, windows_variable: str, below_mac_home: str) -> Path:
    """The folder `facechange` in the XDG base directory, its like on macOS, or the like on Windows."""
    if sys.platform == "win32":
        return Path(os.environ.get(windows_variable) or Path.home() / "AppData" / "Local") / "facechange"
    if sys.platform == "darwin":
        return Path.home() / below_mac_home / "facechange"
    base = os.environ.get(variable, "")
    return (Path(base) if os.path.isabs(base) else Path.home() / below_home) / "facechange"


def _refuse_unknown(path: Path, table: dict[str, Any], kind: type, section: str) -> None:
    known = [part.name for part in fields(kind)]
    for name in table:
        if name not in known:
            raise SettingsError(
                f"{path} has an unknown setting {section}{name}.", f"Known here are {', '.join(known)}."
            )


def _read_section(path: Path, name: str, table: Any, default: _Section) -> _Section:
    """`default` with what `table` says; a relative path counts from the settings file's folder."""
    if not isinstance(table, dict):
        raise SettingsError(f"In {path}, {name} is not a table.", f"Write [{name}] and its settings below.")
    _refuse_unknown(path, table, type(default), f"{name}.")
    values: dict[str, Any] = {}
    for part in fields(default):
        if part.name not in table:
            continue
        value: Any = table[part.name]
        kind, words = _KINDS[str(part.type)]
        if not isinstance(value, kind) or (
            isinstance(value, list) and not all(isinstance(item, str) for item in value)
        ):
            raise SettingsError(f"In {path}, {name}.{part.name} has to be {words}.")
        values[part.name] = _convert(value, str(part.type), path.parent)
    return replace(default, **values)


def _convert(value: Any, kind: str, folder: Path) -> Any:
    return tuple(value) if kind.startswith("tuple") else folder / value if kind.startswith("Path") else value


def _check_marking(path: Path, marking: MarkingSettings) -> MarkingSettings:
    if marking.label_corner not in CORNERS:
        raise SettingsError(f"In {path}, marking.label_corner has to be one of {', '.join(CORNERS)}.")
    if (marking.certificate is None) != (marking.key is None):
        raise SettingsError(
            f"In {path}, marking.certificate and marking.key only work together.", "Give both or neither."
        )
    return marking
