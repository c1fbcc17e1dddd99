"""Whatever stops a run, the same command goes on from there and ends in the same frames."""

import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from facechange.consent import Grant, load_context
from facechange.core import OutputError, StoppedError
from facechange.swap import FixedIdentity, PersonaAssignment, Swapper, assign_sources
from facechange.swap.video import VideoOptions, change_video, files, request_video_change
from facechange.swap.video.sealing import Seal

FAST = VideoOptions(preset="ultrafast")
Grants = Callable[[Path], Grant]


@pytest.mark.parametrize("stop_at", [5, 13, 25])
def test_a_stopped_run_goes_on_to_the_same_frames(
    assignment: FixedIdentity,
    videos: ModuleType,
    swapper: Swapper,
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
        change_video(
            swapper, assignment, clip, tmp_path / "stopped.mkv", grant=grant_for(clip), options=options, report=stop
        )
    # The identifier of the watermark is part of what is kept; the other run has to get the same one.
    identifier = _identifier_in(tmp_path / ".stopped.mkv.facechange")
    done = change_video(swapper, assignment, clip, tmp_path / "stopped.mkv", grant=grant_for(clip), options=options)
    assert done.resumed_at == stop_at // 10 * 10
    monkeypatch.setattr(files, "new_identifier", lambda home: identifier)
    change_video(swapper, assignment, clip, tmp_path / "straight.mkv", grant=grant_for(clip), options=options)
    assert videos.packets(tmp_path / "stopped.mkv", "video") == videos.packets(tmp_path / "straight.mkv", "video")
    assert videos.read_video(tmp_path / "stopped.mkv")[0] == videos.read_video(tmp_path / "straight.mkv")[0]


def test_another_detector_threshold_starts_anew(
    toy_swapper: Swapper,
    videos: ModuleType,
    faces_picture: Callable[..., np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(files, "SEGMENT_FRAMES", 4)
    ann, output = tmp_path / "ann.png", tmp_path / "out.mkv"
    Image.fromarray(faces_picture({(200, 150): (230, 110, 60)}, height=160)).save(ann)
    clip = videos.write_video(
        tmp_path / "clip.mkv", [faces_picture({(150 + index, 120): (235, 190, 40)}, (320, 240)) for index in range(9)]
    )
    grant, assignment = (
        request_video_change(load_context(), [ann], clip, output, videos.CONSENT),
        assign_sources(toy_swapper, [ann]),
    )

    def stop(done: int, total: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    for threshold, resumed_at in ((0.72, 4), (0.5, 0)):
        with pytest.raises(StoppedError):
            change_video(toy_swapper, assignment, clip, output, grant=grant, options=FAST, report=stop)
        with monkeypatch.context() as patch:
            patch.setattr(toy_swapper._detector, "threshold", threshold)
            assert (
                change_video(toy_swapper, assignment, clip, output, grant=grant, options=FAST).resumed_at == resumed_at
            )


def test_anonymised_people_keep_one_persona_each_also_over_a_stop(
    swapper: Swapper,
    videos: ModuleType,
    portrait: np.ndarray,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
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
    grant = request_video_change(
        load_context(), [], clip, tmp_path / "out.mkv", "To make them unrecognisable.", persona=True
    )

    def stop(done: int, total: int) -> None:
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(StoppedError):
        change_video(
            swapper, PersonaAssignment(4), clip, tmp_path / "out.mkv", grant=grant, options=options, report=stop
        )
    done = change_video(swapper, PersonaAssignment(4), clip, tmp_path / "out.mkv", grant=grant, options=options)
    assert (done.changed, done.resumed_at) == (14, 6)
    after = videos.read_video(tmp_path / "out.mkv")[1]
    people = []
    for index in (1, 12):
        located = sorted(swapper.detect(after[index]), key=lambda face: face.box[0])
        assert len(located) == 2
        people.append([swapper.identify(after[index], face=face) for face in located])
    originals = [swapper.identify(picture) for picture in (portrait, other)]
    for (first, last), original in zip(zip(*people, strict=True), originals, strict=True):
        assert first @ last > 0.8
        assert first @ original < 0.4
    assert people[0][0] @ people[0][1] < 0.6


@pytest.mark.slow
def test_killed_at_random_moments(
    videos: ModuleType, source: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL gives no chance to tidy up; in the end every frame is that of a run that nothing disturbed."""
    program = (
        "import sys; from pathlib import Path; from facechange.swap import assign_sources, load_swapper\n"
        "from facechange.consent import load_context\n"
        "from facechange.swap.video import files; swapper = load_swapper('change', threads=1)\n"
        "files.SEGMENT_FRAMES = 4; files.new_identifier = lambda home: 12345\n"
        "source, clip, output = map(Path, sys.argv[1:])\n"
        f"grant = files.request_video_change(load_context(), [source], clip, output, {videos.CONSENT!r})\n"
        "lossless = files.VideoOptions(encoder='ffv1')\n"
        "files.change_video(swapper, assign_sources(swapper, [source]), clip, output, grant=grant, options=lossless)\n"
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
        assert videos.packets(result, "video") == videos.packets(straight, "video")
        assert videos.packets(result, "audio") == videos.packets(clip, "audio")
    assert {path.suffix for path in tmp_path.glob("*") if not path.name.startswith("clip")} == {".mkv", ".c2pa"}


def test_a_full_disk_is_said_and_the_same_command_goes_on(
    assignment: FixedIdentity,
    videos: ModuleType,
    swapper: Swapper,
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
            return change_video(swapper, assignment, clip, output, grant=grant, options=FAST)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    for most_bytes in (8_000, 40_000):  # of a file: less than a segment; more than that, but less than the journal
        with pytest.raises(OutputError, match="cannot be written"):
            change(most_bytes)
        assert not output.exists()
    assert 0 < change(soft).resumed_at < 30
    assert len(videos.read_video(output)[0]) == 30


def test_two_runs_do_not_make_one_file_at_once(
    assignment: FixedIdentity, swapper: Swapper, clip: Path, grant_for: Grants, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    refused = []

    def again(done: int, total: int) -> None:
        if done == 20:
            with pytest.raises(OutputError, match=r"Another run is making out\.mp4"):
                change_video(swapper, assignment, clip, output, grant=grant_for(clip), options=FAST)
            refused.append(done)

    done = change_video(swapper, assignment, clip, output, grant=grant_for(clip), options=FAST, report=again)
    assert (done.changed, refused) == (30, [20])
    assert not list(tmp_path.glob(".*"))


def _identifier_in(folder: Path) -> int:
    seal = Seal(folder, Path(os.environ["FACECHANGE_HOME"]))
    return seal.open((folder / "journal.jsonl").read_text().splitlines()[0])["kept"]["identifier"]
