"""Commands and options of the release before are taken under their old names."""

import pytest

from facechange.cli.renamed import renew_words


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("consent withdraw fc-aaaaaaaa", "consent revoke fc-aaaaaaaa"),
        ("consent add a.jpg --given self", "consent add a.jpg --basis self"),
        ("swap a b --execution-providers=cpu", "swap a b --engine=cpu"),
        ("train face --recogniser R --spoil hat=0", "train face --recognizer R --degrade hat=0"),
        ("train face --weight drawn=8", "train face --weight low_frequency=8"),
        ("evaluate change --recogniser dlib", "evaluate change --evaluator dlib"),
        ("evaluate identity --teacher R", "evaluate identity --recognizer R"),
        ("swap a -- --given", "swap a -- --given"),
        ("swap --given x", "swap --given x"),
    ],
)
def test_names_of_the_release_before_are_taken(given: str, taken: str) -> None:
    assert renew_words(given.split()) == taken.split()
