"""Folders at addresses, against moto's S3 server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facechange.core import OutputError, PictureError

pytest.importorskip("ray")
s3fs = pytest.importorskip("s3fs")
from facechange.scale import Storage, mirrored, storage  # noqa: E402


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)


def test_a_storage_that_fails_for_a_moment_is_tried_again_and_then_it_is_said(
    bucket: str, s3_server: Any, tmp_path: Path
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"hello")
    there = Storage(f"{bucket}/in", OutputError)
    s3_server.failing["PUT"] = 2
    stamped = there.put(path, "deeper/a.txt")
    assert stamped == there.stamps()["deeper/a.txt"] and stamped[0] == 5
    s3_server.failing["PUT"] = 1000
    with pytest.raises(OutputError, match=r"in cannot be written \(b.txt\): .*the same command goes on"):
        there.put(path, "b.txt")
    s3_server.failing.clear()
    assert list(there.stamps()) == ["deeper/a.txt"]
    there.fetch("deeper/a.txt", tmp_path / "b.txt")
    assert (tmp_path / "b.txt").read_bytes() == b"hello"
    with pytest.raises(OutputError, match="cannot be read"):
        there.fetch("missing.txt", tmp_path / "c.txt")


def test_what_lies_at_its_address_as_it_was_reported_is_not_fetched_again(bucket: str, tmp_path: Path) -> None:
    inputs, outputs = Storage(f"{bucket}/in"), Storage(f"{bucket}/out", OutputError)
    for name in ("a.png", "b.png", "c.txt"):
        (tmp_path / name).write_bytes(name.encode() * 3)
        inputs.put(tmp_path / name, name)
    with mirrored(f"{bucket}/in", f"{bucket}/out") as mirror:
        assert sorted(path.name for path in mirror.folder.iterdir()) == ["a.png", "b.png"]
        assert mirror.address_of(mirror.folder / "a.png") == f"{bucket}/in/a.png"
        (mirror.output / "a.png").write_bytes(b"result")
        mirror.deliver(mirror.output / "a.png")
        stamps = [list(storage.stamp(each / "a.png")) for each in (mirror.folder, mirror.output)]
        entry = {"target": "a.png", "output": "a.png", "state": "done", "target_stamp": stamps[0]}
        report = {"request": {}, "files": [{**entry, "output_stamp": stamps[1]}]}
        (mirror.output / "facechange-batch.json").write_text(json.dumps(report))
        mirror.deliver_report()
        place = mirror.folder.parent
    assert not place.exists()
    with mirrored(f"{bucket}/in", f"{bucket}/out") as mirror:
        assert (mirror.folder / "a.png").read_bytes() == bytes(15), "a stand-in"
        assert (mirror.folder / "b.png").read_bytes() == b"b.png" * 3
        assert list(storage.stamp(mirror.output / "a.png")) == stamps[1]
    outputs.put(tmp_path / "b.png", "a.png")  # somebody touched the result
    with mirrored(f"{bucket}/in", f"{bucket}/out") as mirror:
        assert (mirror.folder / "a.png").read_bytes() == b"a.png" * 3


def test_a_key_that_leads_out_of_the_folder_is_not_seen(bucket: str, tmp_path: Path) -> None:
    files = s3fs.S3FileSystem(skip_instance_cache=True)
    name = bucket.removeprefix("s3://")
    for key in ("in/a.png", "in/../../out.png", "in/deeper/../../../out.png"):
        files.call_s3("put_object", Bucket=name, Key=key, Body=b"x")
    assert list(Storage(f"{bucket}/in").stamps()) == ["a.png"]


def test_an_address_that_nothing_knows_is_said() -> None:
    with pytest.raises(PictureError, match=r"nonsense://a cannot be opened"):
        Storage("nonsense://a")


# The last one in this folder: it begins a cluster of its own, after which this process cannot join the shared one.
@pytest.mark.slow
def test_a_folder_in_a_bucket_is_changed_into_another_and_then_there_is_nothing_left(
    run: Callable, bucket: str, folder: Path, tmp_path: Path
) -> None:
    s3fs.S3FileSystem(skip_instance_cache=True).put(str(folder), f"{bucket}/in", recursive=True)
    command = ("batch", "a.png", f"{bucket}/in", "-o", f"{bucket}/out", "--consent", "All agreed.", "--ray", "local")
    code, out, err = run(*command, "--ray-workers", "1")
    assert code == 0 and out.startswith(f"{bucket}/out: 6 changed, 1 without such a face, 0 failed in "), err
    assert sorted(Storage(f"{bucket}/out").stamps())[0] == "0.png"
    one, _, _ = run("batch", "a.png", "in", "-o", "one", "--consent", "All agreed.")
    Storage(f"{bucket}/out").fetch("0.png", tmp_path / "0.png")
    assert one == 0 and (tmp_path / "0.png").read_bytes() == (tmp_path / "one" / "0.png").read_bytes()
    code, out, err = run(*command)
    assert code == 0 and "(7 of them before)" in out, err
    assert run("batch", "a.png", f"{bucket}/in", "-o", "out", "--consent", "All agreed.")[0] == 2
