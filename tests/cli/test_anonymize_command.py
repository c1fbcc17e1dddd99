"""`facechange anonymize` and `facechange persona` through the command line, with the networks that ship."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facechange
from facechange.core import load_card
from facechange.runtime import graph_path
from facechange.runtime.crops import ChangedCrops

EXAMPLES = Path(facechange.__file__).parent.parent / "examples"
Run = Callable[..., tuple[int, str, str]]


def test_a_photograph_is_anonymised_without_a_word_of_consent_and_says_so(run: Run, tmp_path: Path) -> None:
    code, out, err = run("anonymize", str(EXAMPLES / "source.jpg"), "-o", "out.jpg", "--seed", "3", "-v")
    assert code == 0, err
    assert out.startswith("out.jpg: 1 face changed in ")
    assert f"Model: {load_card(graph_path('facechange-512').with_suffix('.json')).name} " in err
    code, out, _ = run("verify", "out.jpg")
    assert code == 0
    assert "made by a trained model" in out


def test_a_photograph_that_tells_who_and_where_no_longer_does(
    run: Run, tmp_path: Path, telling_jpeg: Callable[[np.ndarray], tuple[bytes, list[bytes]]]
) -> None:
    data, secrets = telling_jpeg(
        np.rot90(np.asarray(Image.open(EXAMPLES / "target.jpg").convert("RGB").resize((256, 256))))
    )
    (tmp_path / "told.jpg").write_bytes(data)
    code, _, err = run("anonymize", "told.jpg", "-o", "out.jpg", "--model", "facechange-256")
    assert code == 0, err
    assert "Taken away: places, names, captions, dates, the camera, face regions, previews" in err
    result = (tmp_path / "out.jpg").read_bytes()
    assert not [secret for secret in secrets if secret in result]
    code, _, err = run("anonymize", "out.jpg", "-o", "again.jpg", "--model", "facechange-256")
    assert code == 0 and "Taken away: an earlier statement of consent, other notes." in err
    assert (tmp_path / "again.jpg").read_bytes().count(b"urn:c2pa:") < 2 * result.count(
        b"urn:c2pa:"
    )  # the earlier manifest did not come along


def test_a_folder_is_anonymised_and_one_person_stays_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(EXAMPLES / "source.jpg", tmp_path / "in" / "a.jpg")
    shutil.copy(EXAMPLES / "source.jpg", tmp_path / "in" / "b.jpg")
    code, out, err = run("anonymize", "in", "-o", "out")
    assert code == 0, err
    assert "2 changed" in out
    swapper = facechange.load("facechange-256", threads=1)
    assert swapper.identify("out/a.jpg") @ swapper.identify("out/b.jpg") > 0.95
    assert swapper.identify("out/a.jpg") @ swapper.identify("in/a.jpg") < 0.4


def test_a_persona_is_made_shown_and_used_as_a_source(run: Run, tmp_path: Path) -> None:
    code, out, err = run("persona", "new", "-o", "ann.persona", "--seed", "5")
    assert code == 0, err
    assert "ann, seed 5" in out
    assert run("persona", "show", "ann.persona")[:2] == (0, "ann.persona: ann, seed 5\n")
    assert run("persona", "show", "ann.persona", "-o", "ann.png")[0] == 0
    code, _, err = run("swap", "ann.persona", str(EXAMPLES / "source.jpg"), "-o", "out.png")
    assert code == 6  # who is in the target has a say
    code, out, err = run("swap", "ann.persona", str(EXAMPLES / "source.jpg"), "-o", "out.png", "--consent", "self")
    assert code == 0, err
    swapper = facechange.load("facechange-256", threads=1)
    assert swapper.identify("out.png") @ swapper.identify("ann.png") > 0.4
    code, _, err = run("persona", "show", str(EXAMPLES / "source.jpg"), "-o", "x.png")
    assert code == 3
    assert "is not a persona" in err


def test_what_is_not_there_is_said(run: Run) -> None:
    code, _, err = run("anonymize", "missing.jpg", "-o", "out.jpg")
    assert code == 3, err
    assert err.count("\n") == 1


def test_what_had_to_be_covered_is_told_in_words_by_the_exit_code_and_in_a_report(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swapper = facechange.load("facechange-256", threads=1)

    def change(crops: np.ndarray, identity: np.ndarray, with_masks: bool = False) -> ChangedCrops:
        same = crops.astype(np.float32) / 255
        return ChangedCrops(same, same, [[] for _ in crops])

    monkeypatch.setattr(swapper, "change_crops", change)
    monkeypatch.setattr("facechange.swap.load_swapper", lambda *given, **named: swapper)
    photograph = str(EXAMPLES / "source.jpg")
    code, out, err = run("anonymize", photograph, "-o", "out.png", "--report", "report.json")
    assert code == 11, err
    assert out.startswith("out.png: 0 of 1 face changed, 1 covered in ")
    assert "face 1 at " in out and "covered by a " in out and "still like the original" in out
    report = json.loads(Path("report.json").read_text())
    assert report["counts"] == {"changed": 0, "covered": 1, "left": 0} and report["faces"][0]["done"] in ("blur", "box")
    code, out, _ = run("anonymize", photograph, "-o", "left.png", "--fallback", "none")
    assert code == 11 and "0 of 1 face changed, 1 left" in out and "left recognisable: still like the original" in out
    (tmp_path / "in").mkdir()
    shutil.copy(photograph, tmp_path / "in" / "a.jpg")
    code, out, _ = run("anonymize", "in", "-o", "out")
    assert code == 11 and "In 1 of them a face was covered or left" in out
    entry = json.loads(Path("out/facechange-batch.json").read_text())["files"][0]
    assert (entry["covered"], entry["left"]) == (1, 0) and entry["outcomes"][0]["why"]
    code, out, _ = run("swap", str(EXAMPLES / "target.jpg"), photograph, "-o", "swapped.png", "--consent", "synthetic")
    assert code == 0 and "1 face changed, but not recognisably in " in out
