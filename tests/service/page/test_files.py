"""The page's files: light, on their own, clean before a strict content security policy, every text in one place."""

from __future__ import annotations

import gzip
import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "facechange" / "service" / "page"
FILES = sorted(path for path in PAGE.rglob("*") if path.is_file())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
CALL = re.compile(r"\b(?:t|has|count)\(")
PLAIN = re.compile(r'"([a-z][a-z-]*(?:\.[a-z-]+)+)"')
MADE = re.compile(r"`([a-z.]*)\$\{[^}]*\}([a-z.]*)`")
PLURALS = (".one", ".other")


def test_the_page_weighs_less_than_200_kilobytes_compressed() -> None:
    assert sum(len(gzip.compress(path.read_bytes())) for path in FILES) <= 200_000


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere_and_nothing_is_inline(path: Path) -> None:
    text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|@import", text)
    assert not re.search(r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write", text)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|javascript:|setAttribute\(\"style\"", text)
    assert not re.search(r"<script(?![^>]* src=)", text)
    assert not re.search(r"url\(|data:|blob:", text)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_import_files_that_are_there(path: Path) -> None:
    text = path.read_text("utf-8")
    for name in re.findall(r'from "([^"]+)"', text):
        assert (path.parent / name).is_file(), name
    assert len(text.splitlines()) < 450
    assert max(map(len, text.splitlines())) <= 120


def test_every_text_is_there_and_used() -> None:
    words = json.loads((PAGE / "en.json").read_text("utf-8"))
    everything = "\n".join(path.read_text("utf-8") for path in SCRIPTS)
    plain = set(PLAIN.findall(everything))
    stems = {re.sub(r"\.(one|other)$", "", key) for key in words}
    sections = {key.split(".")[0] for key in words}
    missing = {key for key in plain if key.split(".")[0] in sections} - stems
    assert {key for key in missing if not key.endswith((".js", ".jpg", ".svg"))} == set()
    made = [
        re.compile(re.escape(head) + r"[a-z.-]+" + re.escape(tail) + "$") for head, tail in MADE.findall(everything)
    ]
    unused = {stem for stem in stems - plain if not any(pattern.match(stem) for pattern in made)}
    assert unused == set()


def test_every_plural_has_both_forms() -> None:
    words = json.loads((PAGE / "en.json").read_text("utf-8"))
    everything = "\n".join(path.read_text("utf-8") for path in SCRIPTS)
    for key in re.findall(r'count\(\s*"([^"]+)"', everything):
        assert all(key + form in words for form in PLURALS), key


def test_the_wheel_has_every_file() -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
    shipped = {path for pattern in package["facechange"] for path in (ROOT / "facechange").glob(pattern)}
    assert set(FILES) <= shipped
