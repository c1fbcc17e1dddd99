"""A page that shows what became of a folder: every target beside its result.

It shows the published files themselves, by relative links, and embeds no small copies of them: a thumbnail in the page
would be a changed picture that left without its credentials. So the page is right for as long as it lies beside the
results. It has no script and takes nothing from anywhere else.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from facechange.core import show
from facechange.swap.batch.journal import Entry, State

PAGE_NAME = "facechange-batch.html"
_SHOWN_AS_PICTURE = {".jpg", ".jpeg", ".jfif", ".png", ".apng", ".webp", ".avif", ".gif", ".bmp"}
_SHOWN_AS_VIDEO = {".mp4", ".m4v", ".mov", ".webm"}
_HEADINGS: tuple[tuple[State, str], ...] = (
    ("failed", "Failed"),
    ("faceless", "Without such a face"),
    ("done", "Changed"),
)
_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff }
ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)); gap: 1rem; padding: 0; list-style: none }
li { border: 1px solid #ccc; border-radius: 6px; padding: .6rem; overflow-wrap: anywhere }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .4rem; margin-bottom: .4rem }
.pair > * { width: 100%; height: 11rem; object-fit: contain; background: #eee; display: grid; place-items: center; text-align: center }
p { margin: .2rem 0 } .why { color: #a00 }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 }
  .pair > * { background: #333 } .why { color: #f88 } a { color: #8bf } }
"""


def draw_page(entries: Sequence[Entry], folder: Path, output: Path) -> str:
    """HTML for `entries`, whose targets lie below `folder` and whose results lie, as the page will, below `output`."""
    sections = []
    for state, heading in _HEADINGS:
        items = [_draw_entry(entry, folder, output) for entry in entries if entry.state == state]
        if items:
            sections.append(f"<h2>{heading}: {len(items)}</h2>\n<ul>\n{''.join(items)}</ul>\n")
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n'
        f"<title>facechange: {_words(folder.name)}</title>\n<style>{_STYLE}</style>\n"
        f"<h1>{_words(folder.name)}</h1>\n<p>Left what was there, right what became of it: faces changed by a model.</p>\n"
        f"{''.join(sections)}</html>\n"
    )


def _draw_entry(entry: Entry, folder: Path, output: Path) -> str:
    target = _link(folder / entry.target, output)
    if entry.state == "done":
        count = "1 face" if entry.faces == 1 else f"{entry.faces} faces"
        result = _link(output / entry.output, output)
        shown = _show(target, entry.target) + _show(result, entry.output)
        words = f'<p><a href="{result}">{_words(entry.output)}</a></p><p>{count}, {entry.seconds:.1f} s</p>'
        words += "".join(f'<p class="why">{_words(line)}</p>' for line in _remarks(entry))
    else:
        shown = _show(target, entry.target) if entry.output else ""
        words = f'<p><a href="{target}">{_words(entry.target)}</a></p><p class="why">{_words(entry.message)}</p>'
    return f'<li><div class="pair">{shown}</div>{words}</li>\n'


def _remarks(entry: Entry) -> list[str]:
    """What is to be known about a file besides that its faces were changed."""
    told = {"covered": "covered, because no change made it unlike the person", "left": "still recognisable"}
    told["unrecognisable"] = "changed, but not recognisably the source"
    return [*(f"{getattr(entry, name)} {words}" for name, words in told.items() if getattr(entry, name)), *entry.notes]


def _show(link: str, name: str) -> str:
    """An element that shows a file, where browsers can; else its kind."""
    suffix = Path(name).suffix.lower()
    if suffix in _SHOWN_AS_PICTURE:
        return f'<img src="{link}" alt="{_words(name)}" loading="lazy" decoding="async">'
    if suffix in _SHOWN_AS_VIDEO:
        return f'<video src="{link}" preload="none" controls muted></video>'
    return f"<span>{_words(suffix)}</span>"


def _words(text: str) -> str:
    """A text from outside, such as a name, as a page may hold it."""
    return escape(show(text))


def _link(path: Path, output: Path) -> str:
    """A link from a page in `output`; any byte of a name is quoted."""
    try:
        return quote(os.fsencode(os.path.relpath(path, output).replace(os.sep, "/")))
    except ValueError:  # another drive
        return escape(path.absolute().as_uri())
