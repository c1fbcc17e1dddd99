from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from facechange.consent import Grant, load_context
from facechange.core import OutputError
from facechange.swap import FixedIdentity, Swapper
from facechange.swap.video import VideoOptions, change_video, files, request_video_change

FAST = VideoOptions(preset="ultrafast")
Grants = Callable[[Path], Grant]


def test_frames_times_sound_and_metadata_stay_and_the_face_changes(
    assignment: FixedIdentity,
    videos: ModuleType,
    swapper: Swapper,
    source: Path,
    clip: Path,
    grant_for: Grants,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(files, "SEGMENT_FRAMES", 12)  # so that segments are joined
    output = tmp_path / "out.mp4"
    done = change_video(swapper, assignment, clip, output, grant=grant_for(clip), options=FAST)
    assert (done.path, done.frames, done.changed, done.repeated) == (output, 30, 30, 0)
    (before_times, before), (after_times, after) = videos.read_video(clip), videos.read_video(output)
    assert before_times == after_times
    assert len(set(np.diff([float(time) for time in before_times]).round(5))) > 5  # it really is variable
    for old, new, x in zip(before, after, range(140, 200, 2), strict=True):
        difference = np.abs(old.astype(float) - new)
        assert difference[70:170, x - 50 : x + 50].mean() > 4.5
        assert difference[:, :30].mean() < 3
    assert videos.packets(clip, "audio") == videos.packets(output, "audio")
    with av.open(str(output)) as container:
        assert container.metadata["title"] == "A walk"
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    loud = np.flatnonzero(np.abs(sound) > 0.1) / videos.SOUND_RATE
    for click in videos.CLICKS_S:
        assert np.abs(loud - click).min() < 0.01
    assert not list(tmp_path.glob(".*"))


def test_frames_in_which_the_face_is_turned_too_far_are_covered_by_choice(
    assignment: FixedIdentity,
    videos: ModuleType,
    swapper: Swapper,
    clip: Path,
    grant_for: Grants,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "facechange.swap.video.smoothing.turn_of", lambda points: 60.0 if points.mean(0)[0] > 170 else 0.0
    )
    options = VideoOptions(preset="ultrafast", trim="0-0.9", beyond="covered")
    output = tmp_path / "out.mkv"
    change_video(swapper, assignment, clip, output, grant=grant_for(clip), options=options)
    frames = videos.read_video(output)[1]
    sharpness = [
        cv2.Laplacian(frame[70:170, x - 40 : x + 40], cv2.CV_64F).std()
        for frame, x in zip(frames, range(140, 200, 2), strict=False)
    ]
    assert max(sharpness[-5:]) < 0.5 * min(sharpness[:5])


def test_trimmed_part_starts_at_zero_and_stays_in_step_with_its_sound(
    assignment: FixedIdentity,
    videos: ModuleType,
    swapper: Swapper,
    source: Path,
    clip: Path,
    grant_for: Grants,
    tmp_path: Path,
) -> None:
    output = tmp_path / "out.mkv"
    options = VideoOptions(preset="ultrafast", trim="0.4-0.9")
    done = change_video(swapper, assignment, clip, output, grant=grant_for(clip), options=options)
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
    assignment: FixedIdentity,
    videos: ModuleType,
    swapper: Swapper,
    source: Path,
    clip: Path,
    grant_for: Grants,
    tmp_path: Path,
) -> None:
    (tmp_path / "words.srt").write_text("1\n00:00:00,200 --> 00:00:00,700\nHello\n")
    both = tmp_path / "both.mkv"
    with (
        av.open(str(clip)) as moving_picture,
        av.open(str(tmp_path / "words.srt")) as words,
        av.open(str(both), "w") as container,
    ):
        container.set_chapters(
            [{"id": 1, "start": 0, "end": 500, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}}]
        )
        files_of = {moving_picture: moving_picture.streams, words: words.streams}
        copies = {
            track: container.add_stream_from_template(track, opaque=True)
            for tracks in files_of.values()
            for track in tracks
        }
        for opened in files_of:
            for packet in opened.demux():
                if packet.dts is not None:
                    packet.stream = copies[packet.stream]
                    container.mux(packet)
    change_video(swapper, assignment, both, tmp_path / "out.mkv", grant=grant_for(both), options=FAST)
    with av.open(str(both)) as before, av.open(str(tmp_path / "out.mkv")) as after:
        assert [track.type for track in after.streams] == ["video", "audio", "subtitle"]
        assert (
            [chapter["metadata"] for chapter in after.chapters()]
            == [chapter["metadata"] for chapter in before.chapters()]
            != []
        )
    for kind in ("audio", "subtitle"):
        assert videos.packets(both, kind) == videos.packets(tmp_path / "out.mkv", kind) != []
    with pytest.raises(OutputError, match="cannot hold the subtitle track"):
        change_video(swapper, assignment, both, tmp_path / "out.mp4", grant=grant_for(both), options=FAST)
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
    assignment: FixedIdentity,
    videos: ModuleType,
    swapper: Swapper,
    source: Path,
    portrait: np.ndarray,
    grant_for: Grants,
    tmp_path: Path,
    name: str,
    encoder: str | None,
    codec: str,
    pixel_format: str,
) -> None:
    clip = videos.write_video(tmp_path / "clip.mkv", videos.moving(portrait, 5))
    options = VideoOptions(encoder=encoder, preset="ultrafast")
    change_video(swapper, assignment, clip, tmp_path / name, grant=grant_for(clip), options=options)
    with av.open(str(tmp_path / name)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == (codec, pixel_format)
        assert len(list(container.decode(video=0))) == 5


def test_lossless_result_keeps_every_sample_far_from_the_face(
    assignment: FixedIdentity,
    videos: ModuleType,
    swapper: Swapper,
    source: Path,
    portrait: np.ndarray,
    grant_for: Grants,
    tmp_path: Path,
) -> None:
    frames = [np.pad(frame, ((0, 0), (0, 400), (0, 0)), mode="edge") for frame in videos.moving(portrait, 4)]
    clip = videos.write_video(tmp_path / "clip.mkv", frames)
    change_video(
        swapper, assignment, clip, tmp_path / "out.mkv", grant=grant_for(clip), options=VideoOptions(encoder="ffv1")
    )
    with av.open(str(clip)) as before, av.open(str(tmp_path / "out.mkv")) as after:
        for old, new in zip(before.decode(video=0), after.decode(video=0), strict=True):
            old_rows, new_rows = old.to_ndarray()[:240], new.to_ndarray()[:240]
            np.testing.assert_array_equal(old_rows[:, 480:], new_rows[:, 480:])
            assert not np.array_equal(old_rows[:, :300], new_rows[:, :300])


@pytest.mark.parametrize("rotation", [-90, 90, 180])
def test_rotation_and_ten_bits_are_kept(
    assignment: FixedIdentity,
    videos: ModuleType,
    swapper: Swapper,
    portrait: np.ndarray,
    grant_for: Grants,
    tmp_path: Path,
    rotation: int,
) -> None:
    turned = [np.rot90(frame.astype(np.uint16) * 257, -rotation // 90).copy() for frame in videos.moving(portrait, 4)]
    clip = videos.write_video(
        tmp_path / "clip.mp4",
        turned,
        codec="libx265",
        pixel_format="yuv420p10le",
        rotation=rotation,
        options={"x265-params": "log-level=none"},
    )
    done = change_video(swapper, assignment, clip, tmp_path / "out.mp4", grant=grant_for(clip), options=FAST)
    assert done.changed == 4
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
        assert (frame.format.name, frame.rotation % 360) == ("yuv420p10le", rotation % 360)
        after = np.rot90(frame.to_ndarray(format="rgb24"), rotation // 90).astype(float)
    difference = np.abs(after - videos.moving(portrait, 1)[0])
    assert after.shape == (240, 320, 3)
    assert difference[70:170, 90:190].mean() > 2 * difference[:, :30].mean()


def test_gif_webp_and_numbered_pictures(
    assignment: FixedIdentity,
    videos: ModuleType,
    swapper: Swapper,
    source: Path,
    portrait: np.ndarray,
    grant_for: Grants,
    tmp_path: Path,
) -> None:
    clip = videos.write_video(tmp_path / "clip.mp4", videos.moving(portrait, 4))
    for name in ("out.gif", "out.webp", "out-%02d.png"):
        change_video(swapper, assignment, clip, tmp_path / name, grant=grant_for(clip))
    times, frames = videos.read_video(tmp_path / "out.gif")
    assert times == [Fraction(index, 25) for index in range(4)]
    assert frames[0].shape == (240, 320, 3)
    assert sorted(path.name for path in tmp_path.glob("out-*.png")) == [
        f"out-{number:02d}.png" for number in range(1, 5)
    ]
    again = change_video(
        swapper,
        assignment,
        tmp_path / "out.webp",
        tmp_path / "again.mp4",
        grant=grant_for(tmp_path / "out.webp"),
        options=FAST,
    )
    assert again.frames == 4
    assert videos.read_video(tmp_path / "again.mp4")[0] == times
    numbered = tmp_path / "out-%02d.png"
    pictures = request_video_change(load_context(), [source], numbered, tmp_path / "x.mp4", videos.CONSENT)
    assert change_video(swapper, assignment, numbered, tmp_path / "x.mp4", grant=pictures, options=FAST).frames == 4


def test_strength_goes_from_the_targets_identity_to_the_sources(
    assignment: FixedIdentity,
    videos: ModuleType,
    swapper: Swapper,
    portrait: np.ndarray,
    grant_for: Grants,
    tmp_path: Path,
) -> None:
    clip = videos.write_video(tmp_path / "clip.mkv", videos.moving(portrait, 6))
    alike = []
    for strength in (0.0, 0.5, 1.0):
        options = VideoOptions(encoder="ffv1", strength=strength)
        change_video(swapper, assignment, clip, tmp_path / "out.mkv", grant=grant_for(clip), options=options)
        alike.append(float(swapper.identify(videos.read_video(tmp_path / "out.mkv")[1][3]) @ assignment.everyone))
    assert alike[0] + 0.05 < alike[1] < alike[2] - 0.05


def test_a_grey_video_stays_grey(
    assignment: FixedIdentity,
    videos: ModuleType,
    swapper: Swapper,
    grant_for: Grants,
    tmp_path: Path,
    portrait: np.ndarray,
) -> None:
    grey = [np.asarray(Image.fromarray(frame).convert("L").convert("RGB")) for frame in videos.moving(portrait, 8)]
    clip = videos.write_video(tmp_path / "grey.mp4", grey, options={"crf": "28", "preset": "superfast"})
    done = change_video(swapper, assignment, clip, tmp_path / "out.mp4", grant=grant_for(clip), options=FAST)
    assert done.changed == 8
    (_, before), (_, after) = videos.read_video(clip), videos.read_video(done.path)
    assert np.abs(np.array(before).astype(int) - after).mean() > 1
    assert np.ptp(after, axis=3).max() <= np.ptp(before, axis=3).max()
