"""What other programs may call: it is there under its name, light until used, and what was called before works on."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facechange
from facechange.swap.swapper import Swapper

Draw = Callable[..., np.ndarray]
PUBLIC = {
    "load",
    "Swapper",
    "Face",
    "Identity",
    "Consent",
    "swap_photo",
    "swap_video",
    "anonymize",
    "verify",
    "errors",
    "keep_identity",
}


def test_the_names_are_there_and_documented() -> None:
    assert set(facechange.__all__) == PUBLIC | {"__version__"}
    for name in sorted(PUBLIC):
        thing = getattr(facechange, name)
        assert inspect.getdoc(thing), name
        if inspect.isfunction(thing):
            hints = {*inspect.signature(thing).parameters, "return"}
            assert set(thing.__annotations__) == hints, f"{name} is not typed throughout"
            assert "Raises:" in inspect.getdoc(thing), name
    with pytest.raises(AttributeError, match="nothing"):
        _ = facechange.nothing
    assert facechange.Swapper is Swapper and issubclass(facechange.errors.FaceError, facechange.errors.FacechangeError)


def test_importing_it_brings_nothing_along() -> None:
    program = "import sys, facechange; print([name for name in ('numpy', 'cv2', 'onnxruntime', 'c2pa', 'PIL') if name in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
        == "[]"
    )


def test_what_others_call_today_works_on(
    toy_swapper: Swapper, faces_picture: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "facechange.swap.swapper.load_swapper",
        lambda model, *_, **named: toy_swapper if model == "facechange-256" else None,
    )
    swapper = facechange.load(model="facechange-256")
    picture = faces_picture({(200, 150): (240, 120, 0)})
    faces = swapper.detect(picture)
    identity = swapper.identify(picture)
    changed = swapper.change(picture, identity, faces=faces)
    assert changed.image.shape == picture.shape and changed.faces == faces
    assert len(faces[0].box) == 4 and faces[0].points.shape == (5, 2) and identity.shape == (512,)


def test_files_go_in_and_a_published_file_comes_out(tmp_path: Path, toy_swapper: Swapper, faces_picture: Draw) -> None:
    colours = {"ann.png": (240, 120, 0), "party.png": (240, 240, 0)}
    for name, colour in colours.items():
        Image.fromarray(faces_picture({(200, 150): colour})).save(tmp_path / name)
    ann, party, out = (str(tmp_path / name) for name in ("ann.png", "party.png", "out.png"))
    consent = facechange.Consent("Ann and everybody at the party agreed on 2 May")
    done = facechange.swap_photo(ann, party, out, consent, swapper=toy_swapper)
    assert done.path == Path(out) and done.faces == 1
    found = facechange.verify(out, swapper=toy_swapper)
    assert found.signed is not None and found.signed.signed_here and found.consent_state == "in force"
    kept = facechange.keep_identity([ann], tmp_path / "ann.fcid", consent, swapper=toy_swapper)
    done = facechange.swap_photo(
        {str(tmp_path / "ann.fcid"): "all"}, party, tmp_path / "again.png", consent, swapper=toy_swapper
    )
    assert done.faces == 1 and np.shape(kept) == (512,)
    with pytest.raises(facechange.errors.ConsentError):
        facechange.swap_photo(ann, party, out, "yes", swapper=toy_swapper)
    with pytest.raises(facechange.errors.FaceError):
        facechange.swap_photo(ann, party, out, consent, faces="boss", swapper=toy_swapper)
