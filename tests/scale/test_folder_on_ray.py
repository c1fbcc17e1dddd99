"""Folders on a Ray cluster: the same files as on one machine, whatever dies."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facechange.cli.options import complete_ray
from facechange.scale import cluster as clusters

BATCH = ("batch", "a.png", "in", "--consent", "All agreed.")
ANONYMIZE = ("anonymize", "in", "--consent", "All agreed.")


def files_of(folder: Path) -> dict[str, bytes]:
    """The results in a folder, without report and page."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("facechange-batch")
    }


def entries_of(folder: Path) -> list[dict]:
    table = json.loads((folder / "facechange-batch.json").read_text())
    return [{**each, "seconds": 0, "output_stamp": 0} for each in table["files"]]


@pytest.mark.parametrize(
    "command", [BATCH, pytest.param(ANONYMIZE, marks=pytest.mark.slow)], ids=["batch", "anonymize"]
)
def test_results_are_those_of_one_machine_byte_for_byte_though_a_worker_dies(
    run: Callable, cluster: str, tmp_path: Path, toy_networks: Path, command: tuple[str, ...]
) -> None:
    code, out, _ = run(*command, "-o", "one")
    assert (code, out[:37]) == (0, "one: 6 changed, 1 without such a face")
    toy_networks.touch()
    code, out, err = run(*command, "-o", "many", "--ray", cluster)
    assert (code, out[:38]) == (0, "many: 6 changed, 1 without such a face"), err
    assert not toy_networks.exists(), "a worker was to end"
    assert len(files_of(tmp_path / "one")) == 6
    assert files_of(tmp_path / "many") == files_of(tmp_path / "one")
    assert entries_of(tmp_path / "many") == entries_of(tmp_path / "one")


@pytest.mark.slow
def test_a_file_that_ends_its_workers_is_given_up_and_what_is_done_is_found_again(
    run: Callable, cluster: str, tmp_path: Path, faces_picture: Callable[..., np.ndarray]
) -> None:
    pixels = faces_picture({(80, 150): (235, 190, 40)})
    pixels[0, 0] = (1, 2, 3)
    Image.fromarray(pixels).save(tmp_path / "in" / "poison.png")
    code, out, err = run(*BATCH, "-o", "out", "--ray", cluster)
    assert code == 1 and out.startswith("out: 6 changed, 1 without such a face, 1 failed in ")
    assert err.endswith("poison.png: It ended 2 workers, so that it was given up. The file may be damaged.\n")
    assert not (tmp_path / "out" / "poison.png").exists()
    (tmp_path / "in" / "poison.png").unlink()
    code, out, err = run(*BATCH, "-o", "out")  # nothing is left to do, on whichever machine
    assert code == 0 and "1 without such a face, 0 failed (7 of them before)" in out


@pytest.mark.slow
def test_marks_and_credentials_are_there(
    run: Callable, cluster: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FACECHANGE_SETTINGS", "/dev/null")
    code, _, err = run(*BATCH, "-o", "out", "--ray", cluster, "--ray-workers", "1")
    assert code == 0, err
    code, out, err = run("verify", "out/0.png")
    assert code == 0 and "this computer" in out + err


@pytest.mark.slow
def test_consent_that_is_revoked_meanwhile_lets_nothing_out(
    run: Callable, cluster: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from facechange.core import ConsentError

    module = sys.modules["facechange.provenance.publish"]

    def refuse(grant: object) -> None:
        raise ConsentError("It was revoked.")

    monkeypatch.setattr(module, "check_still_held", refuse)
    code, out, err = run(*BATCH, "-o", "out", "--ray", cluster)
    assert code == 1 and "0 changed" in out and err.count("It was revoked.") == 6
    assert files_of(tmp_path / "out") == {}


def test_what_keeps_a_cluster_from_working_is_said_before_anything_begins(
    run: Callable, cluster: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, _, err = run(*BATCH, "-o", "out", "--ray", "127.0.0.1:9")
    assert (code, err.count("\n")) == (13, 1) and err.startswith("There is no Ray cluster at 127.0.0.1:9.")
    assert run(*BATCH, "-o", "out", "--ray=nowhere")[0] == 13
    ray, python, _ = clusters.own_versions()
    monkeypatch.setattr(clusters, "own_versions", lambda: (ray, python, "0.0.1"))
    code, _, err = run(*BATCH, "-o", "out", "--ray", cluster)
    assert code == 13 and "this machine 0.0.1. Install the same versions on every node." in err
    assert not (tmp_path / "out").exists()


def test_the_address_may_be_left_out() -> None:
    assert complete_ray(["batch", "--ray", "-o", "out"]) == ["batch", "--ray", "auto", "-o", "out"]
    assert complete_ray(["batch", "in", "--ray"])[-1] == "auto"
    assert complete_ray(["batch", "--ray", "head:6379", "a"])[2:] == ["head:6379", "a"]
    assert complete_ray(["batch", "--ray", "a.png", "--", "--ray"]) == [
        "batch",
        "--ray",
        "auto",
        "a.png",
        "--",
        "--ray",
    ]
