"""What a video leaves on the way is its owner's alone, and what leaves with it shows no original: with the toy
networks."""

import errno
import importlib
import json
import os
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest
from cryptography.fernet import Fernet
from PIL import Image

from facechange.consent import load_context
from facechange.core import OutputError, StoppedError, VideoError
from facechange.provenance.verify import examine
from facechange.swap import PersonaAssignment, Swapper, change_photograph, publish_mask_sheet, request_change
from facechange.swap.people import parse_map
from facechange.swap.video import VideoOptions, change_video, files, mux, publish_preview, request_video_change
from facechange.swap.video.nameless import nameless_setup
from facechange.swap.video.sealing import Seal

ORANGE, RED = (230, 110, 60), (230, 30, 30)
FRAMES = 12
WORK = Path(".out.mkv.facechange")
Draw = Callable[..., np.ndarray]


@pytest.fixture(autouse=True)
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, videos: ModuleType, faces_picture: Draw) -> Path:
    """An orange person for all frames but the last two."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(faces_picture({(200, 150): RED}, height=160)).save("ann.png")
    frames = [
        faces_picture({(150 + index, 150): ORANGE} if index < FRAMES - 2 else {}, height=160) for index in range(FRAMES)
    ]
    return videos.write_video(tmp_path / "clip.mkv", frames, codec="ffv1", pixel_format="bgr0")


def change(
    swapper: Swapper, output: str = "out.mkv", video: str = "clip.mkv", report: files.Report = lambda done, total: None
):
    people, options = parse_map(["ann.png=all"]), VideoOptions(encoder="ffv1" if output.endswith("mkv") else None)
    grant = request_video_change(load_context(), people.files, Path(video), Path(output), "All of them agreed.")
    return change_video(
        swapper, people.assign(swapper), Path(video), Path(output), grant=grant, options=options, report=report
    )


def anonymize(swapper: Swapper, video: str, output: str, report: files.Report = lambda done, total: None):
    grant = request_video_change(load_context(), [], Path(video), Path(output), "They are hidden.", persona=True)
    return change_video(
        swapper,
        PersonaAssignment(1),
        Path(video),
        Path(output),
        grant=grant,
        options=VideoOptions(encoder="ffv1"),
        report=report,
    )


def test_work_that_holds_who_people_are_is_readable_by_its_owner_alone(
    toy_swapper: Swapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SEGMENT_FRAMES", 5)
    modes: dict[str, int] = {}

    def look(done: int, total: int) -> None:
        modes.update((path.name, path.stat().st_mode & 0o777) for path in (WORK, *WORK.iterdir()))

    monkeypatch.setattr(files, "publish_media", lambda *arguments, **named: look(0, 0))
    mask = os.umask(0)
    try:
        anonymize(toy_swapper, "clip.mkv", "out.mkv", look)
    finally:
        os.umask(mask)
    assert modes.pop(WORK.name) == 0o700
    assert {"lock", "journal.jsonl", "000000.packets", "finished.mkv"} <= set(modes)
    assert set(modes.values()) == {0o600}


def stop_at(frame: int) -> files.Report:
    def stop(done: int, total: int) -> None:
        if done == frame:
            raise KeyboardInterrupt

    return stop


def keys() -> list[Path]:
    return list(Path(os.environ["FACECHANGE_HOME"]).glob("unfinished/*"))


def test_the_journal_tells_nobody_who_people_are_and_its_key_goes_with_the_work(
    toy_swapper: Swapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SEGMENT_FRAMES", 5)
    with pytest.raises(StoppedError):
        anonymize(toy_swapper, "clip.mkv", "out.mkv", stop_at(7))
    lines = (WORK / "journal.jsonl").read_text().splitlines()
    assert len(lines) == 2 and not any(word in line for line in lines for word in ("{", "[", "identifier", "state"))
    (key,) = keys()
    assert key.stat().st_mode & 0o777 == 0o600
    state = Seal(WORK, Path(os.environ["FACECHANGE_HOME"])).open(lines[1])["state"]
    assert any(len(vector) > 100 for vector in vectors(state))  # what there is to hide
    assert anonymize(toy_swapper, "clip.mkv", "out.mkv").resumed_at == 5
    assert not keys() and not WORK.exists()


def vectors(value: object) -> list[list[float]]:
    """The lists of numbers in a value of JSON."""
    if isinstance(value, list) and value and all(isinstance(each, float) for each in value):
        return [value]
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [vector for child in children for vector in vectors(child)]


@pytest.mark.parametrize(
    "place", ["facechange.swap.video.journal.reach_disk", "facechange.swap.video.files.check_container"]
)
def test_a_disk_that_is_full_at_once_is_left_as_it_was(
    toy_swapper: Swapper, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(place, refuse)
    with pytest.raises(OutputError, match="no space left"):
        change(toy_swapper)
    assert not keys() and not WORK.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_disk_that_is_full_at_the_head_of_the_result_is_said_to_be_full(
    toy_swapper: Swapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mux, "create_media", lambda path, **options: av.open("/dev/full", "w", format="mp4"))
    with pytest.raises(OutputError, match="no space left"):
        change(toy_swapper, "out.mp4")
    assert not list(Path(".").glob(".out*"))


@pytest.mark.parametrize(
    "degraded", ["restored later", "other key", "no key", "lines swapped", "written in the clear", "older lines"]
)
def test_work_that_comes_from_a_backup_or_a_stranger_is_begun_anew_or_gone_on_with(
    toy_swapper: Swapper, videos: ModuleType, monkeypatch: pytest.MonkeyPatch, degraded: str
) -> None:
    """Every frame is in the end as it is without any of that; no publication is written over."""
    monkeypatch.setattr(files, "SEGMENT_FRAMES", 3)
    # each publication has a mark of its own
    monkeypatch.setattr(files, "mark_frame", lambda image, faces, **options: image)
    change(toy_swapper, "straight.mkv")
    with pytest.raises(StoppedError):
        change(toy_swapper, report=stop_at(8))
    shutil.copytree(WORK, "backup")
    if degraded == "restored later":
        first = change(toy_swapper)
        assert first.resumed_at == 6
        shutil.copytree("backup", WORK)
    path = WORK / "journal.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    if degraded == "other key":
        keys()[0].write_bytes(Fernet.generate_key())
    elif degraded == "no key":
        keys()[0].write_bytes(b"degraded")
    elif degraded == "lines swapped":
        path.write_text("".join([lines[0], lines[2], lines[1]]))
    elif degraded == "written in the clear":
        path.write_text(
            "".join(
                json.dumps(Seal(WORK, Path(os.environ["FACECHANGE_HOME"])).open(line.strip())) + "\n" for line in lines
            )
        )
    elif degraded == "older lines":
        path.write_text("".join(lines[:2]))
    published = {each: each.read_bytes() for each in Path(os.environ["FACECHANGE_HOME"]).glob("published/*")}
    assert change(toy_swapper).resumed_at == (3 if degraded == "older lines" else 0)
    assert videos.packets(Path("out.mkv"), "video") == videos.packets(Path("straight.mkv"), "video")
    assert all(each.read_bytes() == store for each, store in published.items())
    assert not keys() and not WORK.exists()


@pytest.mark.parametrize("kind", ["link", "file", "open", "somebody's", "other things", "a folder in it"])
def test_a_folder_that_may_not_be_ours_is_refused_and_left_alone(
    toy_swapper: Swapper, tmp_path: Path, kind: str
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir(mode=0o700)
    (precious / "journal.jsonl").write_text("a diary")
    if kind == "link":
        WORK.symlink_to(precious)
    elif kind == "file":
        WORK.write_text("a diary")
    else:
        precious = precious.rename(WORK)
    if kind == "open":
        WORK.chmod(0o770)
    if kind == "somebody's":
        if os.getuid():
            pytest.skip("only root can give a folder away")
        os.chown(WORK, 12345, -1)
    if kind == "other things":
        (WORK / "diary.txt").write_text("a diary")
    if kind == "a folder in it":
        (WORK / "000000.packets").mkdir()
    with pytest.raises(OutputError) as raised:
        change(toy_swapper)
    assert str(WORK) in raised.value.message and raised.value.remedy
    kept = WORK if kind == "file" else precious / "journal.jsonl"
    assert kept.read_text() == "a diary"
    assert not Path("out.mkv").exists()


def test_a_disk_that_knows_no_modes_is_no_open_folder(toy_swapper: Swapper, monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory card shows every folder as open, also the one that was made private."""
    WORK.mkdir()
    WORK.chmod(0o755)
    monkeypatch.setattr("facechange.core.files._keeps_modes", lambda folder: False)
    assert change(toy_swapper).frames == FRAMES


def test_numbered_pictures_are_known_again_with_and_without_their_credentials(toy_swapper: Swapper) -> None:
    os.mkdir("made")
    change(toy_swapper, "made/%02d.png")
    first, second = (examine(load_context(), Path(f"made/{number:02d}.png")).signed for number in (1, 2))
    assert first.signed_here and first.intact and first.watermark and first.watermark == second.watermark
    assert (Path(os.environ["FACECHANGE_HOME"]) / "published" / f"{first.watermark}.c2pa").exists()
    assert not list(Path(".").glob(".*.facechange"))


def test_the_label_is_on_every_frame_also_without_a_face(
    toy_swapper: Swapper, videos: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.toml").write_text('[marking]\nlabel = true\nlabel_corner = "top-left"\n', encoding="utf-8")
    monkeypatch.setenv("FACECHANGE_SETTINGS", str(tmp_path / "settings.toml"))
    change(toy_swapper)
    change(toy_swapper, "%02d.png")
    before, after = (np.array(videos.read_video(Path(name))[1]).astype(int) for name in ("clip.mkv", "out.mkv"))
    pictures = np.array(
        [np.asarray(Image.open(f"{number:02d}.png").convert("RGB")) for number in range(1, FRAMES + 1)]
    ).astype(int)
    for result in (after, pictures):
        labelled = np.abs(result - before)[:, :60, :100].reshape(FRAMES, -1).max(1)
        assert (labelled > 50).all()
    np.testing.assert_allclose(after[:, :60, :100], pictures[:, :60, :100], atol=8)  # but for their watermarks


def write_tracks(faces_picture: Draw) -> None:
    """`tracks.mkv`: the clip, another video of the same person, and subtitles as plain words and in a format that can
    hold pictures."""
    Path("a.srt").write_text("1\n00:00:00,000 --> 00:00:00,200\nhello\n", encoding="utf-8")
    style = "[V4+ Styles]\nFormat: Name, Fontname\nStyle: Default,Arial\n\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
    head = f"[Script Info]\nTitle: AnnabelFace\nScriptType: v4.00+\n\n{style}"
    Path("a.ass").write_text(f"{head}Dialogue: 0,0:00:00.00,0:00:00.20,Default,hello\n", encoding="utf-8")
    with (
        av.open("clip.mkv") as clip,
        av.open("a.srt") as words,
        av.open("a.ass") as drawn,
        av.open("tracks.mkv", "w") as container,
    ):
        copies = [(source, container.add_stream_from_template(source.streams[0])) for source in (clip, words, drawn)]
        second = container.add_stream("ffv1", rate=25)
        second.width, second.height, second.pix_fmt = 400, 300, "bgr0"
        frame = av.VideoFrame.from_ndarray(faces_picture({(200, 150): ORANGE}), format="rgb24").reformat(format="bgr0")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux([*second.encode(frame), *second.encode(None)])
        for source, copy in copies:
            for packet in source.demux(source.streams[0]):
                if packet.size:
                    packet.stream = copy
                    container.mux(packet)


def test_no_track_that_can_show_an_original_goes_on_and_that_is_said(toy_swapper: Swapper, faces_picture: Draw) -> None:
    write_tracks(faces_picture)
    assert b"AnnabelFace" in Path("tracks.mkv").read_bytes()
    kinds: dict[str, list[str]] = {}
    made = {
        "changed": change(toy_swapper, "out.mkv", "tracks.mkv"),
        "hidden": anonymize(toy_swapper, "tracks.mkv", "no.mkv"),
    }
    for name, done in made.items():
        with av.open(str(done.path)) as container:
            kinds[name] = [f"{stream.type} {stream.codec_context.name}" for stream in container.streams]
        assert "further video tracks" in done.taken_away
        assert ("subtitles that can hold pictures" in done.taken_away) == (name == "hidden")
    assert kinds == {
        "changed": ["video ffv1", "subtitle srt", "subtitle ssa"],
        "hidden": ["video ffv1", "subtitle srt"],
    }
    assert b"AnnabelFace" not in Path("no.mkv").read_bytes()


def write_vorbis(words: bytes) -> None:
    """`sung.mkv`: the clip and Vorbis sound that says `words` in its head."""
    with av.open("clip.mkv") as clip, av.open("sung.mkv", "w", options={"strict": "-2"}) as container:
        copy = container.add_stream_from_template(clip.streams[0])
        sound = container.add_stream("vorbis", rate=48000, layout="stereo", options={"strict": "-2"})
        sound.codec_context.open()
        empty = b"\x03vorbis" + bytes(8) + b"\x01"
        head = bytes(sound.codec_context.extradata)
        assert empty in head and head[2] == len(empty)
        told = b"\x03vorbis" + bytes(4) + (1).to_bytes(4, "little") + len(words).to_bytes(4, "little") + words + b"\x01"
        head = (head[:2] + bytes([len(told)]) + head[3:]).replace(empty, told)
        packets = []
        for number in range(20):
            noise = np.random.default_rng(number).normal(0, 0.1, (2, 1024)).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = 48000, number * 1024, Fraction(1, 48000)
            packets += sound.encode(frame)
        sound.codec_context.extradata = head
        for packet in clip.demux(clip.streams[0]):
            if packet.size:
                packet.stream = copy
                container.mux(packet)
        container.mux(packets)


def test_sound_keeps_its_packets_and_says_nothing_in_its_head(toy_swapper: Swapper, videos: ModuleType) -> None:
    write_vorbis(b"METADATA_BLOCK_PICTURE=AnnabelFace")
    assert b"AnnabelFace" in Path("sung.mkv").read_bytes()
    hidden = anonymize(toy_swapper, "sung.mkv", "out.mkv").path
    assert b"Annabel" not in hidden.read_bytes()
    assert videos.packets(hidden, "audio") == videos.packets(Path("sung.mkv"), "audio")
    with av.open(str(hidden)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) > 15_000
    assert b"AnnabelFace" in change(toy_swapper, "changed.mkv", "sung.mkv").path.read_bytes()


@pytest.mark.parametrize(
    ("codec", "setup", "clean"), [("aac", b"\x12\x10", b"\x12\x10"), ("vorbis", b"\x03vorbis", b"")]
)
def test_a_head_that_is_none_is_empty(codec: str, setup: bytes, clean: bytes) -> None:
    assert nameless_setup(codec, setup) == clean


def test_with_the_exit_shut_nothing_leaves(
    toy_swapper: Swapper, tmp_path: Path, shut_exit: Callable[[Path], list[str]]
) -> None:
    """Photograph, mask sheet, preview, video, animation, numbered pictures: what is left is what was there."""
    before, people, options = shut_exit(tmp_path), parse_map(["ann.png=all"]), VideoOptions()
    Image.fromarray(np.asarray(Image.open("ann.png"))).save("target.png")
    before.append("target.png")
    grant = request_change(
        load_context(), [Path("ann.png")], Path("target.png"), Path("out.png"), "All of them agreed."
    )
    change_photograph(toy_swapper, people.assign(toy_swapper), Path("target.png"), Path("out.png"), grant=grant)
    publish_mask_sheet(toy_swapper, Path("ann.png"), Path("target.png"), Path("masks.png"), grant=grant)
    for output in ("out.mkv", "out.gif", "%02d.png"):
        change(toy_swapper, output)
    grant = request_video_change(load_context(), people.files, Path("clip.mkv"), Path("out.mkv"), "All of them agreed.")
    publish_preview(
        toy_swapper, people.assign(toy_swapper), Path("clip.mkv"), Path("out.mkv"), 1, grant=grant, options=options
    )
    assert shut_exit(tmp_path) == sorted(before)


@pytest.mark.parametrize("read", ["ann.png", "clip.mkv"])
def test_a_preview_never_takes_the_place_of_what_is_read(toy_swapper: Swapper, read: str) -> None:
    os.link(read, "out-preview.jpg")
    people, before = parse_map(["ann.png=all"]), Path(read).read_bytes()
    grant = request_video_change(load_context(), people.files, Path("clip.mkv"), Path("out.mkv"), "All of them agreed.")
    with pytest.raises(OutputError, match=r"out-preview\.jpg, which is one of the files to read"):
        publish_preview(
            toy_swapper,
            people.assign(toy_swapper),
            Path("clip.mkv"),
            Path("out.mkv"),
            1,
            grant=grant,
            options=VideoOptions(),
        )
    assert Path(read).read_bytes() == before


def test_a_preview_of_nothing_is_refused_and_one_of_a_thread_is_drawn(toy_swapper: Swapper, videos: ModuleType) -> None:
    people, options = parse_map(["ann.png=all"]), VideoOptions(trim="100-110")
    thin = videos.write_video(
        Path("thin.mkv"), [np.zeros((16, 30_000, 3), np.uint8)], codec="ffv1", pixel_format="bgr0"
    )
    grant = request_video_change(load_context(), people.files, Path("clip.mkv"), Path("out.mkv"), "All of them agreed.")
    with pytest.raises(VideoError, match=r"clip\.mkv has no frame to show there"):
        publish_preview(
            toy_swapper, people.assign(toy_swapper), Path("clip.mkv"), Path("out.mkv"), 2, grant=grant, options=options
        )
    grant = request_video_change(load_context(), people.files, thin, Path("out.mkv"), "All of them agreed.")
    sheet = publish_preview(
        toy_swapper, people.assign(toy_swapper), thin, Path("out.mkv"), 1, grant=grant, options=VideoOptions()
    )
    assert Image.open(sheet).width > 480


def test_each_changed_face_on_a_preview_is_marked(toy_swapper: Swapper, monkeypatch: pytest.MonkeyPatch) -> None:
    people = parse_map(["ann.png=all"])
    grant = request_video_change(load_context(), people.files, Path("clip.mkv"), Path("out.mkv"), "All of them agreed.")
    marked: list = []
    publishing = importlib.import_module("facechange.provenance.publish")
    monkeypatch.setattr(
        publishing, "mark_frame", lambda pixels, faces, identifier, marking: marked.extend(faces) or pixels
    )
    sheet = publish_preview(
        toy_swapper,
        people.assign(toy_swapper),
        Path("clip.mkv"),
        Path("out.mkv"),
        2,
        grant=grant,
        options=VideoOptions(),
    )
    pixels = np.asarray(Image.open(sheet).convert("RGB"))
    # those below, after
    found = [face for face in toy_swapper.detect(pixels) if face.box[1] > 8 + 360 and face.size_px > 100]
    assert len(found) == len(marked) == 2
    for face, mark in zip(
        sorted(found, key=lambda face: face.box[0]), sorted(marked, key=lambda face: face.box[0]), strict=True
    ):
        np.testing.assert_allclose(mark.points, face.points, atol=4)
    signed = examine(load_context(), sheet).signed
    assert signed.watermark and json.loads(json.dumps(signed.consent))["basis"] == "statement"
