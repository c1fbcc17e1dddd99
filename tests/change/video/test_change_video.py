import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest

from facechange.change import Changer, OneForAll, PersonaCast
from facechange.change.video import VideoOptions, change_video, files, request_video_change
from facechange.core import FaceError, OutputError, StoppedError, VideoError
from facechange.trust import Grant

SIZE = (320, 240)
FAST = VideoOptions(preset="ultrafast")
Grants = Callable[[Path], Grant]


def moving(videos: ModuleType, portrait: np.ndarray, count: int) -> list[np.ndarray]:
    return [videos.place_portrait(portrait, SIZE, (140 + 2 * i, 120 + 10 * np.sin(i / 6)), 4 * np.sin(i / 8)) for i in range(count)]


def packets(path: Path, kind: str) -> list[bytes]:
    with av.open(str(path)) as container:
        return [
            bytes(packet) for packet in container.demux(next(stream for stream in container.streams if stream.type == kind)) if packet.size
        ]


@pytest.fixture(scope="session")
def clip(videos: ModuleType, portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 frames at a variable rate, with clicks and metadata."""
    rng = np.random.default_rng(0)
    pts = [1000 * i + int(rng.integers(-300, 300)) * (i > 0) for i in range(30)]
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return videos.write_video(
        path, moving(videos, portrait, 30), pts=pts, sound=videos.make_clicks(1.2), metadata={"title": "A walk", "comment": "by hand"}
    )


def test_frames_times_sound_and_metadata_stay_and_the_face_changes(
    casting: OneForAll,
    videos: ModuleType,
    changer: Changer,
    source: Path,
    clip: Path,
    grant_for: Grants,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(files, "SEGMENT_FRAMES", 12)  # so that segments are joined
    output = tmp_path / "out.mp4"
    done = change_video(changer, casting, clip, output, grant=grant_for(clip), options=FAST)
    assert (done.path, done.frames, done.changed, done.repeated) == (output, 30, 30, 0)
    (before_times, before), (after_times, after) = videos.read_video(clip), videos.read_video(output)
    assert before_times == after_times
    assert len(set(np.diff([float(time) for time in before_times]).round(5))) > 5  # it really is variable
    for old, new, x in zip(before, after, range(140, 200, 2), strict=True):
        difference = np.abs(old.astype(float) - new)
        assert difference[70:170, x - 50 : x + 50].mean() > 6
        assert difference[:, :30].mean() < 3
    assert packets(clip, "audio") == packets(output, "audio")
    with av.open(str(output)) as container:
        assert container.metadata["title"] == "A walk"
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    loud = np.flatnonzero(np.abs(sound) > 0.1) / videos.SOUND_RATE
    for click in videos.CLICKS_S:
        assert np.abs(loud - click).min() < 0.01
    assert not list(tmp_path.glob(".*"))


def test_trimmed_part_starts_at_zero_and_stays_in_step_with_its_sound(
    casting: OneForAll, videos: ModuleType, changer: Changer, source: Path, clip: Path, grant_for: Grants, tmp_path: Path
) -> None:
    output = tmp_path / "out.mkv"
    options = VideoOptions(preset="ultrafast", trim="0.4-0.9")
    done = change_video(changer, casting, clip, output, grant=grant_for(clip), options=options)
    kept = [time for time in videos.read_video(clip)[0] if Fraction(2, 5) <= time < Fraction(9, 10)]
    assert done.frames == len(kept)
    for time_s, expected in zip(videos.read_video(output)[0], kept, strict=True):
        assert abs(time_s - (expected - Fraction(2, 5))) <= Fraction(1, 1000)  # Matroska counts milliseconds
    with av.open(str(output)) as container:
        loud = [
            float(frame.time) + np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.1) / videos.SOUND_RATE
            for frame in container.decode(audio=0)
        ]
    heard = np.concatenate(loud)
    for click in (0.6, 0.85):
        assert np.abs(heard - (click - 0.4)).min() < 0.01


def test_subtitles_and_chapters_are_copied_and_a_container_that_cannot_hold_them_is_refused(
    casting: OneForAll, videos: ModuleType, changer: Changer, source: Path, clip: Path, grant_for: Grants, tmp_path: Path
) -> None:
    (tmp_path / "words.srt").write_text("1\n00:00:00,200 --> 00:00:00,700\nHello\n")
    both = tmp_path / "both.mkv"
    with av.open(str(clip)) as moving_picture, av.open(str(tmp_path / "words.srt")) as words, av.open(str(both), "w") as container:
        container.set_chapters([{"id": 1, "start": 0, "end": 500, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}}])
        files_of = {moving_picture: moving_picture.streams, words: words.streams}
        copies = {track: container.add_stream_from_template(track, opaque=True) for tracks in files_of.values() for track in tracks}
        for opened in files_of:
            for packet in opened.demux():
                if packet.dts is not None:
                    packet.stream = copies[packet.stream]
                    container.mux(packet)
    change_video(changer, casting, both, tmp_path / "out.mkv", grant=grant_for(both), options=FAST)
    with av.open(str(both)) as before, av.open(str(tmp_path / "out.mkv")) as after:
        assert [track.type for track in after.streams] == ["video", "audio", "subtitle"]
        assert [chapter["metadata"] for chapter in after.chapters()] == [chapter["metadata"] for chapter in before.chapters()] != []
    for kind in ("audio", "subtitle"):
        assert packets(both, kind) == packets(tmp_path / "out.mkv", kind) != []
    with pytest.raises(OutputError, match="cannot hold the subtitle track"):
        change_video(changer, casting, both, tmp_path / "out.mp4", grant=grant_for(both), options=FAST)
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("name", "encoder", "codec", "pixel_format"),
    [
        ("out.mp4", "h265", "hevc", "yuv420p"),
        ("out.webm", None, "libdav1d", "yuv420p"),
        ("out.mov", "prores", "prores", "yuv422p10le"),
        ("out.mkv", "ffv1", "ffv1", "yuv420p"),
    ],
)
def test_encoders(
    casting: OneForAll,
    videos: ModuleType,
    changer: Changer,
    source: Path,
    portrait: np.ndarray,
    grant_for: Grants,
    tmp_path: Path,
    name: str,
    encoder: str | None,
    codec: str,
    pixel_format: str,
) -> None:
    clip = videos.write_video(tmp_path / "clip.mkv", moving(videos, portrait, 5))
    options = VideoOptions(encoder=encoder, preset="ultrafast")
    change_video(changer, casting, clip, tmp_path / name, grant=grant_for(clip), options=options)
    with av.open(str(tmp_path / name)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == (codec, pixel_format)
        assert len(list(container.decode(video=0))) == 5


def test_lossless_result_keeps_every_sample_far_from_the_face(
    casting: OneForAll, videos: ModuleType, changer: Changer, source: Path, portrait: np.ndarray, grant_for: Grants, tmp_path: Path
) -> None:
    frames = [np.pad(frame, ((0, 0), (0, 400), (0, 0)), mode="edge") for frame in moving(videos, portrait, 4)]
    clip = videos.write_video(tmp_path / "clip.mkv", frames)
    change_video(changer, casting, clip, tmp_path / "out.mkv", grant=grant_for(clip), options=VideoOptions(encoder="ffv1"))
    with av.open(str(clip)) as before, av.open(str(tmp_path / "out.mkv")) as after:
        for old, new in zip(before.decode(video=0), after.decode(video=0), strict=True):
            old_rows, new_rows = old.to_ndarray()[:240], new.to_ndarray()[:240]
            np.testing.assert_array_equal(old_rows[:, 480:], new_rows[:, 480:])
            assert not np.array_equal(old_rows[:, :300], new_rows[:, :300])


@pytest.mark.parametrize("rotation", [-90, 90, 180])
def test_rotation_and_ten_bits_are_kept(
    casting: OneForAll,
    videos: ModuleType,
    changer: Changer,
    portrait: np.ndarray,
    grant_for: Grants,
    tmp_path: Path,
    rotation: int,
) -> None:
    turned = [np.rot90(frame.astype(np.uint16) * 257, -rotation // 90).copy() for frame in moving(videos, portrait, 4)]
    clip = videos.write_video(
        tmp_path / "clip.mp4",
        turned,
        codec="libx265",
        pixel_format="yuv420p10le",
        rotation=rotation,
        options={"x265-params": "log-level=none"},
    )
    done = change_video(changer, casting, clip, tmp_path / "out.mp4", grant=grant_for(clip), options=FAST)
    assert done.changed == 4
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
        assert (frame.format.name, frame.rotation % 360) == ("yuv420p10le", rotation % 360)
        after = np.rot90(frame.to_ndarray(format="rgb24"), rotation // 90).astype(float)
    difference = np.abs(after - moving(videos, portrait, 1)[0])
    assert after.shape == (240, 320, 3)
    assert difference[70:170, 90:190].mean() > 2 * difference[:, :30].mean()


def test_gif_webp_and_numbered_pictures(
    casting: OneForAll, videos: ModuleType, changer: Changer, source: Path, portrait: np.ndarray, grant_for: Grants, tmp_path: Path
) -> None:
    clip = videos.write_video(tmp_path / "clip.mp4", moving(videos, portrait, 4))
    for name in ("out.gif", "out.webp", "out-%02d.png"):
        change_video(changer, casting, clip, tmp_path / name, grant=grant_for(clip))
    times, frames = videos.read_video(tmp_path / "out.gif")
    assert times == [Fraction(index, 25) for index in range(4)]
    assert frames[0].shape == (240, 320, 3)
    assert sorted(path.name for path in tmp_path.glob("out-*.png")) == [f"out-{number:02d}.png" for number in range(1, 5)]
    again = change_video(
        changer, casting, tmp_path / "out.webp", tmp_path / "again.mp4", grant=grant_for(tmp_path / "out.webp"), options=FAST
    )
    assert again.frames == 4
    assert videos.read_video(tmp_path / "again.mp4")[0] == times
    numbered = tmp_path / "out-%02d.png"
    pictures = request_video_change([source], numbered, tmp_path / "x.mp4", videos.CONSENT)
    assert change_video(changer, casting, numbered, tmp_path / "x.mp4", grant=pictures, options=FAST).frames == 4


@pytest.mark.parametrize("stop_at", [5, 13, 25])
def test_a_stopped_run_goes_on_to_the_same_frames(
    casting: OneForAll,
    videos: ModuleType,
    changer: Changer,
    source: Path,
    clip: Path,
    grant_for: Grants,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop_at: int,
) -> None:
    monkeypatch.setattr(files, "SEGMENT_FRAMES", 10)
    options = VideoOptions(encoder="ffv1")

    def stop(done: int, total: int) -> None:
        if done == stop_at:
            raise KeyboardInterrupt

    with pytest.raises(StoppedError, match=f"{stop_at // 10 * 10} frames are kept"):
        change_video(changer, casting, clip, tmp_path / "stopped.mkv", grant=grant_for(clip), options=options, report=stop)
    # The identifier of the watermark is part of what is kept; the other run has to get the same one.
    identifier = _identifier_in(tmp_path / ".stopped.mkv.facechange")
    done = change_video(changer, casting, clip, tmp_path / "stopped.mkv", grant=grant_for(clip), options=options)
    assert done.resumed_at == stop_at // 10 * 10
    monkeypatch.setattr(files, "new_identifier", lambda: identifier)
    change_video(changer, casting, clip, tmp_path / "straight.mkv", grant=grant_for(clip), options=options)
    assert packets(tmp_path / "stopped.mkv", "video") == packets(tmp_path / "straight.mkv", "video")
    assert videos.read_video(tmp_path / "stopped.mkv")[0] == videos.read_video(tmp_path / "straight.mkv")[0]


def test_anonymised_people_keep_one_persona_each_also_over_a_stop(
    changer: Changer, videos: ModuleType, portrait: np.ndarray, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SEGMENT_FRAMES", 6)
    options = VideoOptions(encoder="ffv1")
    other = videos.read_example("source", 256)
    frames = []
    for index in range(14):
        frame = videos.place_portrait(portrait, (640, 300), (160 + 2 * index, 150))
        frame[:, 320:] = videos.place_portrait(other, (320, 300), (160, 150))
        frames.append(frame)
    clip = videos.write_video(tmp_path / "two.mkv", frames)
    grant = request_video_change([], clip, tmp_path / "out.mkv", "To make them unrecognisable.", persona=True)

    def stop(done: int, total: int) -> None:
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(StoppedError):
        change_video(changer, PersonaCast(4), clip, tmp_path / "out.mkv", grant=grant, options=options, report=stop)
    done = change_video(changer, PersonaCast(4), clip, tmp_path / "out.mkv", grant=grant, options=options)
    assert (done.changed, done.resumed_at) == (14, 6)
    after = videos.read_video(tmp_path / "out.mkv")[1]
    people = []
    for index in (1, 12):
        located = sorted(changer.locate(after[index]), key=lambda face: face.box[0])
        assert len(located) == 2
        people.append([changer.identify(after[index], face=face) for face in located])
    originals = [changer.identify(picture) for picture in (portrait, other)]
    for (first, last), original in zip(zip(*people, strict=True), originals, strict=True):
        assert first @ last > 0.8
        assert first @ original < 0.4
    assert people[0][0] @ people[0][1] < 0.6


@pytest.mark.slow
def test_killed_at_random_moments(videos: ModuleType, source: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL gives no chance to tidy up; in the end every frame is that of a run that nothing disturbed."""
    program = (
        "import sys; from pathlib import Path; from facechange.change import cast_sources, load_changer\n"
        "from facechange.change.video import files; changer = load_changer(threads=1)\n"
        "files.SEGMENT_FRAMES = 4; files.new_identifier = lambda: 12345\n"
        "source, clip, output = map(Path, sys.argv[1:])\n"
        f"grant = files.request_video_change([source], clip, output, {videos.CONSENT!r})\n"
        "lossless = files.VideoOptions(encoder='ffv1')\n"
        "files.change_video(changer, cast_sources(changer, [source]), clip, output, grant=grant, options=lossless)\n"
    )

    def start(output: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", program, str(source), str(clip), str(output)])

    def work_begins(process: subprocess.Popen[bytes], output: Path) -> float:
        while process.poll() is None and not (output.parent / f".{output.name}.facechange" / "journal.jsonl").exists():
            time.sleep(0.005)
        return time.monotonic()

    straight = tmp_path / "straight.mkv"
    process = start(straight)
    began = work_begins(process, straight)
    assert process.wait() == 0
    lasts_s = time.monotonic() - began
    draw = random.Random(0)
    kills, results = 0, [tmp_path / "killed-0.mkv"]
    while kills < 20:
        process = start(results[-1])
        work_begins(process, results[-1])
        time.sleep(draw.uniform(0, 0.5 * lasts_s))
        process.kill()
        if process.wait() == 0:
            results.append(tmp_path / f"killed-{len(results)}.mkv")
        else:
            kills += 1
    assert start(results[-1]).wait() == 0
    for result in results:
        assert packets(result, "video") == packets(straight, "video")
        assert packets(result, "audio") == packets(clip, "audio")
    assert {path.suffix for path in tmp_path.glob("*") if not path.name.startswith("clip")} == {".mkv", ".c2pa"}


def test_bad_input_is_refused_in_words(
    casting: OneForAll,
    videos: ModuleType,
    changer: Changer,
    source: Path,
    portrait: np.ndarray,
    grant_for: Grants,
    clip: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video at all")
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[:3000])
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=videos.SOUND_RATE, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate = videos.SOUND_RATE
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    for name, words in (("empty", "empty"), ("text", "not a video"), ("cut", "video"), ("sound", "only sound"), ("none", "no video")):
        with pytest.raises(VideoError, match=words):
            request_video_change([source], tmp_path / f"{name}.mp4", tmp_path / "out.mp4", videos.CONSENT)
    for output, words in (("out.txt", "no kind of video"), ("nowhere/out.mp4", "no folder"), (".", "no kind")):
        with pytest.raises(OutputError, match=words):
            request_video_change([source], clip, tmp_path / output, videos.CONSENT)
    with pytest.raises(OutputError, match="one of the files"):
        request_video_change([source], clip, clip, videos.CONSENT)
    for options, words in ((VideoOptions(encoder="divx"), "no video encoder"), (VideoOptions(encoder="prores"), "cannot hold")):
        with pytest.raises(OutputError, match=words):
            change_video(changer, casting, clip, tmp_path / "out.webm", grant=grant_for(clip), options=options)
    still = videos.write_video(tmp_path / "still.mp4", [np.full((240, 320, 3), 99, np.uint8)] * 5)
    with pytest.raises(FaceError, match="no frame has such a face"):
        change_video(changer, casting, still, tmp_path / "out.mp4", grant=grant_for(still), options=FAST)
    assert not (tmp_path / "out.mp4").exists()


def test_hdr_of_the_pq_kind_is_refused(videos: ModuleType, portrait: np.ndarray, source: Path, tmp_path: Path) -> None:
    clip = videos.write_video(
        tmp_path / "hdr.mkv",
        moving(videos, portrait, 1),
        pixel_format="yuv420p10le",
        options={"color_primaries": "bt2020", "color_trc": "smpte2084", "colorspace": "bt2020nc"},
    )
    with pytest.raises(VideoError, match="PQ"):
        request_video_change([source], clip, tmp_path / "out.mp4", videos.CONSENT)


def test_a_size_that_changes_on_the_way_becomes_that_of_the_first_frame(
    casting: OneForAll, videos: ModuleType, changer: Changer, portrait: np.ndarray, grant_for: Grants, tmp_path: Path
) -> None:
    frames = moving(videos, portrait, 12)
    small = [frame[::2, ::2].copy() for frame in frames[6:]]
    parts = []
    for first, part in ((0, frames[:6]), (6, small)):
        pts = [3600 * (first + index) for index in range(6)]
        parts.append(
            videos.write_video(tmp_path / f"{first}.ts", part, pts=pts, time_base=Fraction(1, 90000), options={"tune": "zerolatency"})
        )
    clip = tmp_path / "clip.ts"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    done = change_video(changer, casting, clip, tmp_path / "out.mkv", grant=grant_for(clip), options=FAST)
    assert (done.frames, done.changed) == (12, 12)
    times, after = videos.read_video(tmp_path / "out.mkv")
    assert times == [Fraction(index, 25) for index in range(12)]
    assert {frame.shape for frame in after} == {(240, 320, 3)}
    assert np.abs(after[10].astype(float) - frames[10])[:, 300:].mean() < 4


def test_several_recordings_in_one_file_are_refused(
    casting: OneForAll, videos: ModuleType, changer: Changer, portrait: np.ndarray, grant_for: Grants, tmp_path: Path
) -> None:
    part = videos.write_video(tmp_path / "part.ts", moving(videos, portrait, 30), sound=videos.make_clicks(1.2))
    clip = tmp_path / "clip.ts"
    clip.write_bytes(2 * part.read_bytes())
    with pytest.raises(VideoError, match="clock"):
        change_video(changer, casting, clip, tmp_path / "out.mkv", grant=grant_for(clip), options=FAST)
    assert not list(tmp_path.glob("*out*"))


def test_a_full_disk_is_said_and_the_same_command_goes_on(
    casting: OneForAll,
    videos: ModuleType,
    changer: Changer,
    clip: Path,
    grant_for: Grants,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(files, "SEGMENT_FRAMES", 3)
    output = tmp_path / "out.mp4"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def change(most_bytes: int) -> files.PublishedVideo:
        grant = grant_for(clip)  # its ledger is not what is tried here
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
        try:
            return change_video(changer, casting, clip, output, grant=grant, options=FAST)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    for most_bytes in (8_000, 40_000):  # of a file: less than a segment; more than that, but less than the journal
        with pytest.raises(OutputError, match="cannot be written"):
            change(most_bytes)
        assert not output.exists()
    assert 0 < change(soft).resumed_at < 30
    assert len(videos.read_video(output)[0]) == 30


def test_two_runs_do_not_make_one_file_at_once(casting: OneForAll, changer: Changer, clip: Path, grant_for: Grants, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    refused = []

    def again(done: int, total: int) -> None:
        if done == 20:
            with pytest.raises(OutputError, match=r"Another run is making out\.mp4"):
                change_video(changer, casting, clip, output, grant=grant_for(clip), options=FAST)
            refused.append(done)

    done = change_video(changer, casting, clip, output, grant=grant_for(clip), options=FAST, report=again)
    assert (done.changed, refused) == (30, [20])
    assert not list(tmp_path.glob(".*"))


def test_a_part_beyond_the_end_is_refused(casting: OneForAll, changer: Changer, clip: Path, grant_for: Grants, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no frame in 100-200"):
        change_video(changer, casting, clip, tmp_path / "out.mp4", grant=grant_for(clip), options=VideoOptions(trim="100-200"))
    assert not list(tmp_path.iterdir())


def test_strength_goes_from_the_targets_identity_to_the_sources(
    casting: OneForAll, videos: ModuleType, changer: Changer, portrait: np.ndarray, grant_for: Grants, tmp_path: Path
) -> None:
    clip = videos.write_video(tmp_path / "clip.mkv", moving(videos, portrait, 6))
    alike = []
    for strength in (0.0, 0.5, 1.0):
        options = VideoOptions(encoder="ffv1", strength=strength)
        change_video(changer, casting, clip, tmp_path / "out.mkv", grant=grant_for(clip), options=options)
        alike.append(float(changer.identify(videos.read_video(tmp_path / "out.mkv")[1][3]) @ casting.everyone))
    assert alike[0] + 0.1 < alike[1] < alike[2] - 0.1


def test_damaged_packets_repeat_the_frame_before(
    casting: OneForAll, videos: ModuleType, changer: Changer, source: Path, portrait: np.ndarray, grant_for: Grants, tmp_path: Path
) -> None:
    clip = videos.write_video(tmp_path / "clip.mov", moving(videos, portrait, 12), codec="png", pixel_format="rgb24")
    data = bytearray(clip.read_bytes())
    with av.open(str(clip)) as container:
        broken = [packet for packet in container.demux(video=0) if packet.size][5]
        data[broken.pos : broken.pos + broken.size] = bytes(broken.size)
    clip.write_bytes(data)
    done = change_video(changer, casting, clip, tmp_path / "out.mp4", grant=grant_for(clip), options=FAST)
    assert (done.frames, done.repeated) == (12, 1)


def _identifier_in(folder: Path) -> int:
    import json

    return json.loads((folder / "journal.jsonl").read_text().splitlines()[0])["facts"]["identifier"]
