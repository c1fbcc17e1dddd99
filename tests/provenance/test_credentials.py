"""Content credentials: every format round-trips through c2pa's own reader, changes are found, hostile input is
survived."""

from __future__ import annotations

import io
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import c2pa
import numpy as np
import pytest
from PIL import Image

from facechange.consent import Grant, load_context
from facechange.core import Face, ModelCard, OutputError, PictureError, hash_file
from facechange.core.settings import MarkingSettings
from facechange.images import Picture, read_picture
from facechange.provenance import mark_frame, new_identifier, publish, publish_media
from facechange.provenance.credentials import MEDIA_TYPES, read_credentials, sidecar_of
from facechange.provenance.registry import recall

FACE = Face((60, 40, 90, 110), np.array([[85, 80], [125, 80], [105, 103], [90, 128], [120, 128]], np.float32), 0.9)
FORMATS = (".jpg", ".png", ".webp", ".avif", ".heic", ".tiff")
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@pytest.fixture
def picture() -> Picture:
    rows, columns = np.mgrid[0:200, 0:220]
    return Picture(np.stack([columns, rows, (rows + columns) // 2], -1).astype(np.uint8))


def read_with_c2pa(path: Path, store: bytes | None = None) -> tuple[dict, list[str]]:
    """What c2pa-python's own reader says, with its default settings: the active manifest, and the codes of all that is
    wrong."""
    media_type = MEDIA_TYPES.get(path.suffix, "application/octet-stream")
    with path.open("rb") as file, c2pa.Reader(media_type, file, store, c2pa.Context()) as reader:
        return reader.get_active_manifest(), [
            each["code"] for each in json.loads(reader.json()).get("validation_status", ())
        ]


def assertion(manifest: dict, label: str) -> dict:
    return next(each["data"] for each in manifest["assertions"] if each["label"].startswith(label))


def flip_a_byte(path: Path, position: int) -> Path:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    changed = path.with_stem(path.stem + "-changed")
    changed.write_bytes(data)
    return changed


def other_manifest(with_thumbnail: bool = True) -> bytes:
    """A camera's JPEG with credentials, thumbnail and all, signed by somebody else."""
    key = load_context().keys.find()
    plain, signed = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (220, 200), "orange").save(plain, "JPEG")
    actions = {"actions": [{"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE + "digitalCapture"}]}
    definition = {
        "claim_generator_info": [{"name": "camera"}],
        "assertions": [{"label": "c2pa.actions", "data": actions}],
    }
    context = c2pa.Context.from_dict({"builder": {"thumbnail": {"enabled": with_thumbnail}}})
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", key.chain, key.private_key, None))
    c2pa.Builder(definition, context=context).sign(signer, "image/jpeg", plain, signed)
    return signed.getvalue()


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_picture_format_round_trips(
    tmp_path: Path, grant_for: Callable[..., Grant], card: ModelCard, picture, suffix
):
    Image.fromarray(picture.pixels).save(tmp_path / "target.png")
    (tmp_path / "source.jpg").write_bytes(b"a face")
    target, source = tmp_path / "target.png", tmp_path / "source.jpg"
    grant = grant_for([target], [source])
    path = publish(
        picture, tmp_path / f"out{suffix}", grant=grant, card=card, target=target, sources=[source], faces=[FACE]
    )
    manifest, problems = read_with_c2pa(path)
    assert problems == ["signingCredential.untrusted"]
    actions = assertion(manifest, "c2pa.actions")["actions"]
    assert [action["action"] for action in actions] == ["c2pa.opened", "c2pa.edited", "c2pa.watermarked.bound"]
    assert actions[1]["digitalSourceType"] == SOURCE_TYPE + "compositeWithTrainedAlgorithmicMedia"
    change = assertion(manifest, "facechange.swap")
    assert change["model"] == {"name": "face-toy", "version": "1.2", "sha256": "cd" * 32}
    assert change["consent"] == {"id": grant.id, "basis": "statement", "record_sha256": grant.record_hash}
    hashes = {"target": hash_file(target), "source": hash_file(source)}
    assert {each["role"]: each["sha256"] for each in change["ingredients"]} == hashes
    assert {each["instance_id"] for each in manifest["ingredients"]} == {
        f"urn:sha256:{each}" for each in hashes.values()
    }
    assert "Ann" not in json.dumps(manifest) and "source.jpg" not in json.dumps(manifest)
    assert read_picture(path).width == 220

    _, problems = read_with_c2pa(flip_a_byte(path, path.stat().st_size * 6 // 10))
    assert {"assertion.dataHash.mismatch", "assertion.bmffHash.mismatch"} & set(problems)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_video_round_trips(tmp_path: Path, grant: Grant, card: ModelCard, picture, suffix, capsys):
    av = pytest.importorskip("av")
    identifier, work_file = new_identifier(load_context().folders.data), tmp_path / f"work{suffix}"
    with av.open(str(work_file), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 220, 200, "yuv420p"
        for _ in range(4):
            frame = av.VideoFrame.from_ndarray(
                mark_frame(picture.pixels, [FACE], identifier, MarkingSettings()), "rgb24"
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    path = publish_media(work_file, tmp_path / f"out{suffix}", grant=grant, card=card, identifier=identifier)
    sidecar = sidecar_of(path)
    assert sidecar.exists() == (suffix == ".mkv") == ("Keep the two files together" in capsys.readouterr().err)
    store = sidecar.read_bytes() if sidecar.exists() else None
    manifest, problems = read_with_c2pa(path, store)
    assert problems == ["signingCredential.untrusted"]
    assert assertion(manifest, "c2pa.soft-binding")["blocks"][0]["value"] == f"{identifier:010x}"
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 4
    _, problems = read_with_c2pa(flip_a_byte(path, path.read_bytes().index(b"Lavc")), store)
    assert any(problem.endswith("Hash.mismatch") for problem in problems)
    assert work_file.exists()


def test_a_persona_and_a_file_without_target_are_said(tmp_path: Path, grant: Grant, card: ModelCard, picture):
    manifest, _ = read_with_c2pa(publish(picture, tmp_path / "out.png", grant=grant, card=card, persona=True))
    actions = assertion(manifest, "c2pa.actions")["actions"]
    assert [(each["action"], each["digitalSourceType"]) for each in actions] == [
        ("c2pa.created", SOURCE_TYPE + "trainedAlgorithmicMedia")
    ]


def test_earlier_credentials_stay_without_their_thumbnails(
    tmp_path: Path, grant_for: Callable[..., Grant], card: ModelCard, picture
):
    target = tmp_path / "target.jpg"
    target.write_bytes(other_manifest())
    first = publish(picture, tmp_path / "first.jpg", grant=grant_for([target]), card=card, target=target)
    second = publish(picture, tmp_path / "second.png", grant=grant_for([first]), card=card, target=first)
    _, problems = read_with_c2pa(second)
    assert problems == ["signingCredential.untrusted"]
    found = read_credentials(second)
    assert found is not None and len(found.manifests) == 3
    generators = {each["claim"]["claim_generator_info"]["name"] for each in found.manifests.values()}
    assert generators == {"camera", "facechange"}
    assert not any("thumbnail" in label for each in found.manifests.values() for label in each["assertion_store"])
    assert second.read_bytes().count(b"\xff\xd8\xff") == 0, "a thumbnail of the face as it was is still in the file"


def test_broken_earlier_credentials_do_not_stop_the_work(
    tmp_path: Path, grant_for: Callable[..., Grant], card: ModelCard, picture
):
    good, chance = other_manifest(with_thumbnail=False), random.Random(0)
    start = good.index(b"jumb")
    for number in range(12):
        broken = bytearray(good)
        for _ in range(4):
            broken[chance.randrange(start, start + 3000)] = chance.randrange(256)
        target = tmp_path / f"target-{number}.jpg"
        target.write_bytes(broken)
        _, problems = read_with_c2pa(
            publish(picture, tmp_path / "out.png", grant=grant_for([target]), card=card, target=target)
        )
        assert problems == ["signingCredential.untrusted"]


def test_reading_tells_nothing_from_broken(tmp_path: Path):
    plain, broken = tmp_path / "plain.jpg", tmp_path / "broken.jpg"
    Image.new("RGB", (8, 8)).save(plain)
    assert read_credentials(plain) is None
    (tmp_path / "text.png").write_bytes(b"no picture")
    assert read_credentials(tmp_path / "text.png") is None
    data = bytearray(other_manifest(with_thumbnail=False))
    box = data.index(b"jumb", data.index(b"jumb") + 4)
    data[box : box + 500] = bytes(500)  # the first manifest's description and the start of what it holds
    broken.write_bytes(data)
    with pytest.raises(PictureError, match="broken"):
        read_credentials(broken)


def test_what_is_published_is_remembered_by_its_watermark(tmp_path: Path, grant: Grant, card: ModelCard, picture, home):
    path = publish(picture, tmp_path / "out.png", grant=grant, card=card, faces=[FACE])
    manifest, _ = read_with_c2pa(path)
    store = recall(home, int(assertion(manifest, "c2pa.soft-binding")["blocks"][0]["value"], 16))
    assert store is not None and store in path.read_bytes()
    assert recall(home, new_identifier(home)) is None
    assert [entry.stat().st_mode & 0o777 for entry in home.glob("published/*")] == [0o600]


def test_a_home_that_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, grant: Grant, card: ModelCard, picture, home
):
    (home / "published").write_bytes(b"a file where the folder should be")
    with pytest.raises(OutputError):
        publish(picture, tmp_path / "out.png", grant=grant, card=card, faces=[FACE])
    assert not list(tmp_path.iterdir())


def test_a_disk_too_full_for_the_signed_copy(tmp_path: Path, grant: Grant, card: ModelCard, monkeypatch):
    work_file = tmp_path / "work.mkv"
    work_file.write_bytes(bytes(1000))
    full = shutil.disk_usage(tmp_path)._replace(free=500)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    with pytest.raises(OutputError, match="no space left"):
        publish_media(work_file, tmp_path / "out.mkv", grant=grant, card=card)
    assert list(tmp_path.iterdir()) == [work_file]
