"""Swap the face of a photograph: python examples/swap_photo.py [FOLDER FOR THE RESULT]"""

import sys
from pathlib import Path

import facechange

HERE = Path(__file__).parent
out = Path(sys.argv[1] if len(sys.argv) > 1 else ".")

done = facechange.swap_photo(
    HERE / "source.jpg",
    HERE / "target.jpg",
    out / "swapped.jpg",
    facechange.Consent("synthetic"),  # nobody in these pictures exists; else say who agreed, and to what
)
for outcome in done.outcomes:
    print(f"{done.path}: {outcome.done}, recognisable: {outcome.recognisable}")
