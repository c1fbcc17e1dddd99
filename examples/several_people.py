"""Give each person of a picture a face of their own: python examples/several_people.py [FOLDER FOR THE RESULT]"""

import sys
from pathlib import Path

from PIL import Image

import facechange

HERE = Path(__file__).parent
out = Path(sys.argv[1] if len(sys.argv) > 1 else ".")

# A picture with two people, made of one with one.
person = Image.open(HERE / "target.jpg").resize((512, 512))
party = Image.new("RGB", (1024, 512))
party.paste(person, (0, 0))
party.paste(person.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (512, 0))
party.save(out / "party.png")

# Whose face is for whom: left and right are places, a number counts from the left, like:PICTURE is a certain person.
nobody = str(HERE / "source.jpg")
done = facechange.swap_photo({nobody: "left"}, out / "party.png", out / "left-only.png", "synthetic")
print(f"{done.path}: {done.faces} face changed")

# In memory, without files: each face its own identity.
swapper = facechange.load("facechange-256")
faces = swapper.select(out / "party.png", "left") + swapper.select(out / "party.png", "right")
identities = [swapper.identify(nobody), swapper.identify(HERE / "target.jpg")]
changed = swapper.change(out / "party.png", identities, faces)
print(f"in memory: {len(changed.faces)} faces changed, {changed.image.shape[1]} x {changed.image.shape[0]} pixels")
