"""What the documents refer to is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_relative_link_leads_to_a_file() -> None:
    documents = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    links = [(page, link) for page in documents for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))]
    missing = [f"{page.name}: {link}" for page, link in links if "://" not in link and not (page.parent / link).exists()]
    assert len(links) > 20 and not missing, missing


def read_patent_table() -> dict[str, list[list[str]]]:
    """Rows of the tables of docs/patent.md, by the heading above: numbers, what it says, files, status, what is different."""
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
        for link in re.findall(r"\]\(([^)#]+)\)", files):
            assert (ROOT / "docs" / link).is_file(), link
    named = set(re.findall(r"\]\(\.\./(facechange/[^)]+)\)", (ROOT / "docs" / "patent.md").read_text(encoding="utf-8")))
    assert len(named) > 25
