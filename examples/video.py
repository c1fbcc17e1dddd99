"""Swap the face in a video: python examples/video.py [FOLDER FOR THE RESULT]. Needs pip install "facechange[video]"."""

import sys
from pathlib import Path

import av
from PIL import Image

import facechange

HERE = Path(__file__).parent
out = Path(sys.argv[1] if len(sys.argv) > 1 else ".")

# A short clip in which the picture moves, so that this example needs no other file.
portrait = Image.open(HERE / "target.jpg").resize((300, 300))
with av.open(str(out / "clip.mp4"), "w") as clip:
    stream = clip.add_stream("libx264", rate=12)
    stream.width, stream.height, stream.pix_fmt = 320, 320, "yuv420p"
    for number in range(12):
        frame = Image.new("RGB", (320, 320), "grey")
        frame.paste(portrait, (number, 10))
        clip.mux(stream.encode(av.VideoFrame.from_image(frame)))
    clip.mux(stream.encode(None))

done = facechange.swap_video(HERE / "source.jpg", out / "clip.mp4", out / "swapped.mp4", "synthetic")
print(f"{done.path}: {done.changed} of {done.frames} frames changed")
