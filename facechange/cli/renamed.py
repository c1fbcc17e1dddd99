"""Names of the release before, which this one still takes, unlisted in its help: commands, options and models."""

from __future__ import annotations

from collections.abc import Sequence

# By the first words of a command line; the longest that fits decides. `""` fits every one.
COMMANDS = {
    ("consent", "withdraw"): ("consent", "revoke"),
    ("train", "locator"): ("train", "scout"),
    ("evaluate", "locator"): ("evaluate", "scout"),
    ("export", "locator"): ("export", "scout"),
    ("export", "recogniser"): ("export", "recognizer"),
}
OPTIONS = {
    (): {"--execution-providers": "--engine"},
    ("consent", "add"): {"--given": "--basis"},
    ("train",): {"--recogniser": "--recognizer", "--spoil": "--degrade", "--judge": "--evaluator"},
    ("evaluate",): {"--recogniser": "--evaluator", "--teacher": "--recognizer", "--locator": "--scout"},
}
VALUES = {"drawn=": "low_frequency="}  # of `--weight`


def renew_words(words: Sequence[str]) -> list[str]:
    """The words of a command line with those of the release before replaced; what comes after `--` stays."""
    kept = list(words)
    end = kept.index("--") if "--" in kept else len(kept)
    for before, after in COMMANDS.items():
        if tuple(kept[: len(before)]) == before:
            kept[: len(before)] = after
    options = {
        old: new for start, table in OPTIONS.items() if tuple(kept[: len(start)]) == start for old, new in table.items()
    }
    for index in range(end):
        name, equals, value = kept[index].partition("=")
        if name in options:
            kept[index] = options[name] + equals + value
        for old, new in VALUES.items():
            if kept[index - 1] == "--weight" and kept[index].startswith(old):
                kept[index] = new + kept[index].removeprefix(old)
    return kept
