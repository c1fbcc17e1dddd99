"""Make everybody in a folder unrecognisable: python examples/anonymize_folder.py [FOLDER FOR THE RESULTS]"""

import shutil
import sys
from pathlib import Path

import facechange

HERE = Path(__file__).parent
out = Path(sys.argv[1] if len(sys.argv) > 1 else ".")

photographs = out / "photographs"
photographs.mkdir(exist_ok=True)
for name in ("source.jpg", "target.jpg"):
    shutil.copy(HERE / name, photographs)

counts = facechange.anonymize(photographs, out / "anonymous", seed=1, swapper=facechange.load("facechange-256"))
print(f"{counts.done} changed, {counts.failed} failed, {counts.not_all_changed} with a face that had to be covered")
print(f"{out / 'anonymous' / 'facechange-batch.html'} shows them")
