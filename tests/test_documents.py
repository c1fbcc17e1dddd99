"""What the documents refer to is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_relative_link_leads_to_a_file() -> None:
    documents = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    links = [(page, link) for page in documents for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))]
    missing = [f"{page.name}: {link}" for page, link in links if "://" not in link and not (page.parent / link).exists()]
    assert len(links) > 20 and not missing, missing
