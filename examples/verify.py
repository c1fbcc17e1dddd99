"""Ask a picture what it is: python examples/verify.py [FOLDER FOR THE RESULT]"""

import sys
from pathlib import Path

import facechange

HERE = Path(__file__).parent
out = Path(sys.argv[1] if len(sys.argv) > 1 else ".")

swapper = facechange.load("facechange-256")
facechange.swap_photo(HERE / "source.jpg", HERE / "target.jpg", out / "changed.jpg", "synthetic", swapper=swapper)

for path in (HERE / "target.jpg", out / "changed.jpg"):
    findings = facechange.verify(path, swapper=swapper)
    if findings.signed is None:
        print(f"{path.name}: no content credentials")
    else:
        print(f"{path.name}: changed by {findings.signed.model['name']}, as signed: {findings.is_as_signed}")
        print(f"  watermark {findings.watermark}, consent {findings.consent_state}")

try:
    facechange.swap_photo(HERE / "source.jpg", HERE / "target.jpg", out / "refused.jpg", "yes", swapper=swapper)
except facechange.errors.ConsentError as error:
    print(f"refused: {error.message}")
