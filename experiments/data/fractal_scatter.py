"""Draw several small copies of a category's shape, scattered over each image.

A convolutional network recognizes a copy wherever it lies. A comparison pixel by pixel does not:
each copy has its own place, size and rotation, so two images of a category hardly share a pixel.
"""

from __future__ import annotations

import numpy as np

from experiments.data.fractal_drawing import (
    BITS,
    ONE,
    STEPS,
    WARM_UP,
    Draws,
    chaos_game,
    circle,
    framed,
    jittered,
    opacity_and_tint,
)

JITTER = 6  # per cent, up or down, of each parameter of a system
FEWEST, MOST = 3, 5  # copies in an image
SMALLEST, LARGEST = 35, 50  # per cent of the image's side
FARTHEST = 60  # of a copy's middle from the image's, in per cent of half a side
TURN = ONE * 40 // 100  # half-angle tangent: up to 44° each way


def scatter_shapes(size: int, system: np.ndarray, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
    """Return opacity and tint of all copies, each int64 (images, size, size) from 0 to 256."""
    systems = jittered(system, draws, JITTER)
    per_copy = max(1, 3 * (size * LARGEST // 100) ** 2 // STEPS)  # chains: 3 points for each pixel
    chains = MOST * per_copy
    octets = draws.octets((WARM_UP + STEPS) * chains)
    x, y, last = chaos_game(systems, octets, system)
    x, y = framed(x, y)
    copy = np.arange(x.shape[1]) % chains // per_copy  # of each point
    cosine, sine = circle(draws.integers(-TURN, TURN, MOST))
    scale = draws.integers(ONE * SMALLEST // 100, ONE * LARGEST // 100, 2, MOST)
    shift = draws.integers(-ONE * FARTHEST // 100, ONE * FARTHEST // 100, 2, MOST)
    shift[:, 0] += 4 * ONE * (np.arange(MOST) >= draws.integers(FEWEST, MOST + 1, 1))  # out of view
    x, y = x * scale[:, 0, copy] >> BITS, y * scale[:, 1, copy] >> BITS
    cosine, sine = cosine[:, copy], sine[:, copy]
    x, y = (cosine * x - sine * y >> BITS), (sine * x + cosine * y >> BITS)
    tints = draws.integers(0, 257, system.shape[1])
    return opacity_and_tint(x + shift[:, 0, copy], y + shift[:, 1, copy], last, size, tints)
