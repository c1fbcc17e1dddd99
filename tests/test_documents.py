"""What the documents refer to is there, and what is made from the code says all of it. No generator of sites is needed
for this."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
import unicodedata
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import typer

import facechange
from facechange.cli.app import app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MADE = {DOCS / "reference" / "cli.md", DOCS / "reference" / "api.md"}  # by `make docs`, from the code
PAGES = [*ROOT.glob("*.md"), *(page for page in DOCS.rglob("*.md") if page not in MADE)]
LINK = re.compile(r"\]\(([^)\s]+)\)")


def load(name: str) -> ModuleType:
    """A script of tools/docs as a module."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "tools" / "docs" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def anchors_of(page: Path) -> set[str]:
    """What can follow # in a link to `page`, as Markdown and GitHub both name it."""
    names = set()
    for heading in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
        names.add(re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower()))
    return names


def broken_links(page: Path) -> list[str]:
    """The relative links of `page` that lead to no file, or to no heading of one."""
    broken = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        missing = not target.exists() and target not in MADE
        if missing or (anchor and target.suffix == ".md" and anchor not in anchors_of(target)):
            broken.append(f"{page.relative_to(ROOT)}: {link}")
    return broken


def test_every_relative_link_leads_to_a_file() -> None:
    assert sum(len(LINK.findall(page.read_text(encoding="utf-8"))) for page in PAGES) > 80
    assert not [link for page in PAGES for link in broken_links(page)]


def test_pages_of_the_site_link_to_nothing_outside_it() -> None:
    for page in set(PAGES) - set(ROOT.glob("*.md")):
        for link in LINK.findall(page.read_text(encoding="utf-8")):
            if "://" not in link:
                assert (page.parent / link.partition("#")[0]).resolve().is_relative_to(DOCS), f"{page}: {link}"


def test_every_page_has_its_place_in_the_site() -> None:
    def paths(entry: Any) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        return [path for value in (entry.values() if isinstance(entry, dict) else entry) for path in paths(value)]

    nav = paths(tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"])
    pages = {page.relative_to(DOCS).as_posix() for page in [*DOCS.rglob("*.md"), *MADE]}
    assert sorted(nav) == sorted(pages)


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_the_command_line_has_every_command_and_option_in_its_page() -> None:
    page = load("reference").describe_commands()
    sections = {part.splitlines()[0]: part for part in page.split("\n## ")[1:]}

    def check(command: Any, path: str) -> int:
        if hasattr(command, "commands"):
            return sum(check(each, f"{path} {name}") for name, each in command.commands.items() if not each.hidden)
        options = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
        assert not [each.opts for each in options if each.opts[-1] not in sections[path]], path
        return 1

    assert check(typer.main.get_command(app), "facechange") == len(sections) > 20


def test_the_python_page_names_what_is_public() -> None:
    named = re.findall(r"^::: facechange\.(\w+)$", load("reference").describe_api(), re.MULTILINE)
    assert named == [name for name in facechange.__all__ if not name.startswith("_")] and "load" in named


@pytest.mark.parametrize(
    ("text", "rest", "found"),
    [
        ("A face. Raises `FaceError` where there is none.", "A face.", [("FaceError", "where there is none")]),
        (
            "A face.\n\nRaises `core.FaceError` where no face is left or\nnone is meant, `ValueError` for a strength out of range. More.",
            "A face.\n\n More.",
            [("FaceError", "where no face is left or none is meant"), ("ValueError", "for a strength out of range")],
        ),
        ("Raises `ModelError` and `OutputError`.", "", [("ModelError", ""), ("OutputError", "")]),
        ("It raises what `choose` raises.", "It raises what `choose` raises.", []),
        ("Read it; raises `PictureError` like `read_picture`.", "Read it;", [("PictureError", "like `read_picture`")]),
    ],
)
def test_what_a_docstring_says_is_raised(
    monkeypatch: pytest.MonkeyPatch, text: str, rest: str, found: list[tuple[str, str]]
) -> None:
    # comes with the extra `docs` alone
    monkeypatch.setitem(sys.modules, "griffe", SimpleNamespace(Extension=object, Object=object))
    assert load("raises").split_raises(text) == (rest, found)


def read_patent_table() -> dict[str, list[list[str]]]:
    """Rows of the tables of docs/patent.md, by the heading above: numbers, what it says, files, status, what is
    different."""
    tables: dict[str, list[list[str]]] = {}
    heading = ""
    for line in (ROOT / "docs" / "patent.md").read_text(encoding="utf-8").splitlines():
        heading = line.removeprefix("## ") if line.startswith("## ") else heading
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and cells[0][0].isdigit():
            tables.setdefault(heading, []).append(cells)
    return tables


def numbers_of(cell: str) -> list[int]:
    """`"44, 50-51"` to `[44, 50, 51]`."""
    spans = [part.split("-") for part in cell.split(", ")]
    return [number for span in spans for number in range(int(span[0]), int(span[-1]) + 1)]


def test_every_paragraph_and_claim_of_the_patent_is_answered_once() -> None:
    tables = read_patent_table()
    for heading, last in (("Description", 128), ("Claims", 17)):
        assert sorted(number for row in tables[heading] for number in numbers_of(row[0])) == list(range(1, last + 1))


def test_every_row_on_the_patent_names_its_files_and_says_how_it_is_done() -> None:
    for cells in (row for rows in read_patent_table().values() for row in rows):
        _, _, files, status, told = cells
        assert status in ("exact", "different", "not done"), cells
        assert told or status == "exact", cells
        assert files or told == "nothing to build", cells
    named = set(re.findall(r"`(facechange/[^`]+)`", (ROOT / "docs" / "patent.md").read_text(encoding="utf-8")))
    assert len(named) > 20 and not [path for path in named if not (ROOT / path).is_file()]


def test_what_is_installed_is_pinned_and_nothing_is_left_of_a_merge() -> None:
    pins = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    assert len(pins) > 20 and not [line for line in pins if not re.fullmatch(r"[\w.-]+==[\w.+]+", line)]
    kinds = {".py", ".md", ".toml", ".txt", ".json", ".js", ".css", ".html", ".yml", ".ipynb", ""}
    tops = [
        *ROOT.glob("*"),
        *(path for name in ("docs", "examples", "facechange", "tests", "tools") for path in (ROOT / name).rglob("*")),
    ]
    left = [
        path
        for path in tops
        if path.is_file() and path.suffix in kinds and re.search(rb"^(<{7}|>{7}) ", path.read_bytes(), re.MULTILINE)
    ]
    assert not left
