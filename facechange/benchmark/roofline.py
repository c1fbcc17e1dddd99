"""Draw how near each graph comes to this machine's roofline (Williams et al. 2009)."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facechange.benchmark.report import BenchmarkReport

SIZE_PX = (960, 640)
MARGIN_PX = (80, 40, 30, 60)  # left, top, right, bottom
INK, GRID, INKS = (32, 32, 32), (224, 224, 224), ((31, 119, 180), (214, 39, 40), (44, 160, 44), (148, 103, 189))
INTENSITIES = (1.0, 1000.0)  # FLOP a byte


def draw_roofline(report: BenchmarkReport) -> np.ndarray:
    """Achieved GFLOP/s over arithmetic intensity, both logarithmic: uint8 [640, 960, 3].

    A line a ceiling: copied bytes times the intensity, up to what convolutions reach on that engine. A point is a graph
    at its best batch on all threads, a ring for the general one and a disc for the baked one.
    """
    image = Image.new("RGB", SIZE_PX, "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(15)
    most = 10 ** math.ceil(math.log10(max(each.convolution_gflops for each in report.ceilings.values())))
    least = most / 1000
    left, top, right, bottom = MARGIN_PX[0], MARGIN_PX[1], SIZE_PX[0] - MARGIN_PX[2], SIZE_PX[1] - MARGIN_PX[3]

    def place(intensity: float, gflops: float) -> tuple[float, float]:
        across = math.log(intensity / INTENSITIES[0]) / math.log(INTENSITIES[1] / INTENSITIES[0])
        up = math.log(max(gflops, least) / least) / math.log(most / least)
        return left + across * (right - left), bottom - up * (bottom - top)

    for power in range(4):
        x, y = place(10.0**power, least * 10**power)
        draw.line((x, top, x, bottom), GRID)
        draw.line((left, y, right, y), GRID)
        draw.text((x, bottom + 6), f"{10**power}", INK, font, anchor="ma")
        draw.text((left - 6, y), f"{least * 10**power:g}", INK, font, anchor="rm")
    draw.text(((left + right) / 2, SIZE_PX[1] - 8), "FLOP a byte (float32)", INK, font, anchor="md")
    draw.text((left, 8), "GFLOP/s", INK, font)

    inks = dict(zip(report.ceilings, INKS, strict=False))
    for engine, ceilings in report.ceilings.items():
        ceiling, copied = ceilings.convolution_gflops, ceilings.copy_gb_s
        knee = min(max(ceiling / copied, INTENSITIES[0]), INTENSITIES[1])
        points = [place(INTENSITIES[0], INTENSITIES[0] * copied), place(knee, ceiling), place(INTENSITIES[1], ceiling)]
        draw.line(points, inks.get(engine, INK), 2)
        draw.text((right, points[-1][1] - 4), f"{engine}: {ceiling:.0f}", inks.get(engine, INK), font, anchor="rd")
    best: dict[tuple[str, str, bool], tuple[float, float]] = {}
    most_threads = max(run.threads for run in report.networks)
    for run in report.networks:
        key = run.model, run.engine, run.baked
        if run.threads == most_threads and run.gflops > best.get(key, (0.0, 0.0))[1]:
            best[key] = run.operations.flops_a_byte, run.gflops
    for (model, engine, baked), (intensity, gflops) in best.items():
        x, y = place(intensity, gflops)
        ink = inks.get(engine, INK)
        draw.ellipse((x - 5, y - 5, x + 5, y + 5), ink if baked else "white", ink, 2)
        draw.text((x + 10, y), f"{model}{' baked' if baked else ''}: {gflops:.0f}", INK, font, anchor="lm")
    return np.asarray(image)
