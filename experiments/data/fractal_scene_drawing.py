"""Draw scenes with integers only: several fractal shapes on a cluttered background, with masks.

As in `fractal_drawing`, the same key gives the same bytes on every machine. A scene has slots, from
the back to the front: blots, shapes of systems that are no class, objects. A slot may stay empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.data.fractal_drawing import (
    BITS,
    ONE,
    STEPS,
    WARM_UP,
    Draws,
    chaos_game,
    circle,
    draw_backgrounds,
    draw_moves,
    framed,
    histogram,
    moved,
)

BLOTS, STRANGERS, OBJECTS = 4, 2, 5  # slots of each kind
SLOTS = BLOTS + STRANGERS + OBJECTS
FRACTALS = STRANGERS + OBJECTS
SMALLEST, LARGEST = 16, 48  # side of a shape in pixels, before it is turned
FEWEST_PIXELS = 40  # an object of which fewer would be seen is not drawn
JITTER = 6  # per cent, up or down, of each parameter of a system
MOST_MAPS = 5  # of a system
CHAINS = 2 * LARGEST * LARGEST // STEPS  # two points for each pixel of the largest shape
TURN = ONE * 40 // 100  # half-angle tangent: up to 44° each way
PLACES = 8  # of these places, a slot takes the one that hides least
FAINTEST = 200  # opacity of a shape where it has no points, of 256
FINE = 16  # parts of a pixel in which places are counted


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the slots of some images lie: (images, SLOTS) each, lengths in FINE parts of a pixel.

    `there` tells which slots are used. `side` is (2, images, SLOTS): width and height.
    """

    there: np.ndarray
    side: np.ndarray
    x: np.ndarray
    y: np.ndarray
    cosine: np.ndarray
    sine: np.ndarray


def draw_scenes(
    size: int, systems: Sequence[np.ndarray], strangers: Sequence[np.ndarray], keys: Sequence[tuple]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return images, objects and classes, one scene of `size` pixels a side for each key.

    Images are uint8 (images, size, size, 3), RGB. Objects are uint8 (images, size, size): 0 where
    the ground is seen, k where the k-th object is. Classes are uint8 (images, OBJECTS): that of
    each object, an index of `systems`; 255 after the last one.
    """
    draws = Draws(keys)
    layout = lay_out(size, draws)
    kinds = np.concatenate(
        [
            draws.integers(0, len(strangers), STRANGERS) + len(systems),
            draws.integers(0, len(systems), OBJECTS),
        ],
        axis=1,
    )
    masks, depth, tint = draw_fractals(size, [*systems, *strangers], kinds, layout, draws)
    blots, blot_tint = draw_blots(size, layout, draws)
    masks = np.concatenate([blots, masks], axis=1) & layout.there[..., None, None]
    tint = np.concatenate([blot_tint, tint], axis=1)
    depth = np.concatenate([np.full_like(blot_tint, 256), depth], axis=1)
    objects, order = seen_objects(masks[:, -OBJECTS:])
    masks[:, -OBJECTS:] &= (order > 0)[..., None, None]
    classes = np.full((len(kinds), OBJECTS + 1), 255, dtype=np.uint8)
    np.put_along_axis(classes, order - 1, kinds[:, -OBJECTS:].astype(np.uint8), axis=1)
    classes[:, OBJECTS] = 255  # hidden objects were put here
    return paint(size, masks, depth, tint, draws), objects, classes[:, :OBJECTS]


def lay_out(size: int, draws: Draws) -> Layout:
    """Choose sizes, turns and places so that shapes hide little of each other."""
    images = len(draws.streams)
    fewest = ((2, BLOTS), (0, STRANGERS), (1, OBJECTS))
    there = [np.arange(most) >= most - draws.integers(few, most + 1, 1) for few, most in fewest]
    uneven = draws.integers(0, ONE, SLOTS)
    uneven = uneven * (ONE + uneven) >> BITS + 1  # small shapes are more common than large ones
    whole = SMALLEST * FINE + ((LARGEST - SMALLEST) * FINE * uneven >> BITS)
    parts = draws.integers(ONE * 80 // 100, ONE + 1, 2, SLOTS)
    cosine, sine = circle(draws.integers(-TURN, TURN, SLOTS))
    free = size * FINE - whole[..., None]
    shares = draws.integers(0, ONE, 2, SLOTS, PLACES)
    x, y = (whole[..., None] // 2 + (free * shares[:, axis] >> BITS) for axis in (0, 1))
    used = np.concatenate(there, axis=1)
    chosen = np.zeros((2, images, SLOTS), dtype=np.int64)
    for slot in range(SLOTS):
        hidden = np.zeros((images, PLACES), dtype=np.int64)
        for other in range(slot):
            reach = (whole[:, slot] + whole[:, other])[:, None] // 2
            across, along = (
                np.maximum(reach - np.abs(places[:, slot] - taken[:, other, None]), 0)
                for places, taken in zip((x, y), chosen, strict=True)
            )
            weight = 4 if other >= BLOTS + STRANGERS else 1  # rather hide clutter than objects
            hidden += weight * across * along * used[:, other, None]
        best = np.argmin(hidden, axis=1)[:, None]
        for axis, places in enumerate((x, y)):
            chosen[axis, :, slot] = np.take_along_axis(places[:, slot], best, axis=1)[:, 0]
    side = np.moveaxis(whole[:, None] * parts >> BITS, 1, 0)
    return Layout(there=used, side=side, x=chosen[0], y=chosen[1], cosine=cosine, sine=sine)


def draw_fractals(
    size: int, systems: Sequence[np.ndarray], kinds: np.ndarray, layout: Layout, draws: Draws
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mask, opacity and tint of the shapes, each (images, FRACTALS, size, size).

    `kinds` (images, FRACTALS) are indices of `systems`. Opacity and tint are 0 to 256.
    """
    moves = np.moveaxis(draw_moves(draws, JITTER, FRACTALS, MOST_MAPS), 1, 2)
    tints = draws.integers(0, 257, FRACTALS, MOST_MAPS)
    octets = draws.octets((WARM_UP + STEPS) * CHAINS * FRACTALS).reshape(*kinds.shape, -1)
    shape = (*kinds.shape, size, size)
    mask = np.zeros(shape, dtype=bool)
    depth, tint = np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=np.int32)
    there = layout.there[:, BLOTS:]
    for kind, system in enumerate(systems):
        own = np.nonzero(there & (kinds == kind))
        if not len(own[0]):
            continue
        maps = system.shape[1]
        x, y, last = chaos_game(moved(system, moves[own][..., :maps]), octets[own], system)
        x, y = _placed(size, *framed(x, y), layout, (own[0], own[1] + BLOTS))
        counts = histogram(x, y, size)
        weights = np.take_along_axis(tints[own][:, :maps], last, axis=1)
        mask[own] = _closed(counts > 0)
        depth[own] = FAINTEST + (256 - FAINTEST) * counts // (counts + 2)
        sums = _around(histogram(x, y, size, weights))
        tint[own] = sums // np.maximum(_around(counts), 1)
    return mask, depth, tint


def _placed(
    size: int, x: np.ndarray, y: np.ndarray, layout: Layout, own: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Scale, turn and move points from their own square to that of the image."""
    width, height = (side[own][:, None] * ONE // (size * FINE) for side in layout.side)
    cosine, sine = layout.cosine[own][:, None], layout.sine[own][:, None]
    x, y = x * width >> BITS, y * height >> BITS
    x, y = (cosine * x - sine * y >> BITS), (sine * x + cosine * y >> BITS)
    middle = (
        2 * place[own][:, None] * ONE // (size * FINE) - ONE for place in (layout.x, layout.y)
    )
    return x + next(middle), y + next(middle)


def draw_blots(size: int, layout: Layout, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
    """Return mask and tint of discs, bars and rings, each (images, BLOTS, size, size)."""
    kind = draws.integers(0, 3, BLOTS)[..., None, None]
    thin = draws.integers(4 * FINE, 12 * FINE, BLOTS)[..., None, None]
    tints = draws.integers(0, 257, 2, BLOTS)[..., None, None]
    pixel = np.arange(size) * FINE + FINE // 2
    blots = (slice(None), slice(0, BLOTS))
    cosine, sine = (part[blots][..., None, None] for part in (layout.cosine, layout.sine))
    right = pixel - layout.x[blots][..., None, None]
    down = pixel[:, None] - layout.y[blots][..., None, None]
    u, v = (cosine * right + sine * down >> BITS), (cosine * down - sine * right >> BITS)
    a, b = (side[blots][..., None, None] // 2 for side in layout.side)
    inner = np.maximum(a - thin // 2, 1), np.maximum(b - thin // 2, 1)
    disc = _in_ellipse(u, v, a, b)
    bar = (np.abs(u) <= a) & (np.abs(v) <= thin // 2)
    ring = disc & ~_in_ellipse(u, v, *inner)
    mask = np.where(kind == 0, disc, np.where(kind == 1, bar, ring))
    return mask, np.where(u < v, tints[:, 0], tints[:, 1])


def _in_ellipse(u: np.ndarray, v: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return u * u * b * b + v * v * a * a <= a * a * b * b


def seen_objects(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which object is seen at each pixel, and the number of each object.

    Objects are uint8 (images, size, size), numbers int64 (images, OBJECTS), both from 1. An object
    that would show fewer than FEWEST_PIXELS has number 0: it is left out, and hides nothing.
    """
    covered = np.zeros_like(masks[:, 0])
    kept = np.zeros(masks.shape[:2], dtype=bool)
    for slot in reversed(range(masks.shape[1])):  # from the front to the back
        seen = masks[:, slot] & ~covered
        kept[:, slot] = np.count_nonzero(seen, axis=(1, 2)) >= FEWEST_PIXELS
        covered |= seen & kept[:, slot, None, None]
    numbers = np.cumsum(kept, axis=1) * kept
    objects = np.zeros(covered.shape, dtype=np.uint8)
    for slot in range(masks.shape[1]):
        shown = masks[:, slot] & kept[:, slot, None, None]
        np.copyto(objects, numbers[:, slot, None, None].astype(np.uint8), where=shown)
    return objects, numbers


def paint(
    size: int, masks: np.ndarray, depth: np.ndarray, tint: np.ndarray, draws: Draws
) -> np.ndarray:
    """Return uint8 (images, size, size, 3): ground, then the slots from back to front, then grain.

    Clutter is as bright as objects, so brightness alone does not tell them apart.
    """
    image = draw_backgrounds(size, draws).astype(np.int32)
    base = draws.integers(120, 216, 2, SLOTS, 1)
    inks = (base + draws.integers(-40, 41, 2, SLOTS, 3)).astype(np.int32)
    for slot in range(SLOTS):
        where = np.nonzero(masks[:, slot])
        shade, opacity = (part[:, slot][where][:, None].astype(np.int32) for part in (tint, depth))
        first, second = inks[where[0], 0, slot], inks[where[0], 1, slot]
        colour = first * (256 - shade) + second * shade >> 8
        image[where] = image[where] * (256 - opacity) + colour * opacity >> 8
    grain = draws.octets(2 * size * size * 3).reshape(-1, 2, size, size, 3).astype(np.int32)
    image += (grain[:, 0] - grain[:, 1]) * draws.integers(0, 41, 1, 1, 1).astype(np.int32) >> 8
    return np.clip(image, 0, 255).astype(np.uint8)


def _closed(mask: np.ndarray) -> np.ndarray:
    """Fill holes and gaps of up to two pixels: dilate and erode by a square of three pixels."""
    return ~(_around(~(_around(mask) > 0)) > 0)


def _around(values: np.ndarray) -> np.ndarray:
    """Return the sum over the 3 × 3 pixels around each; there is nothing outside of the image."""
    padded = np.pad(values.astype(np.int32), ((0, 0), (1, 1), (1, 1)))
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
