"""Depthwise convolutions in Triton, over channels-last maps; sums are in float32.

One program holds a tile of ROWS rows (of all images, one below the other) by CHANNELS channels, and
COLUMNS neighbouring columns of it. It loads a column of the input once for all the outputs of the
tile that it contributes to. Loops over columns are unrolled, loops over rows are not: that keeps
compiling short. Names in capitals are compile-time constants.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["rows", "height", "width", "out_height", "out_width"])
def convolve(  # type: ignore[no-untyped-def]
    x, taps, bias, y, rows, height, width, out_height, out_width, channels,
    KERNEL: tl.constexpr, STRIDE: tl.constexpr, SPREAD: tl.constexpr, PADDING: tl.constexpr,
    FLIPPED: tl.constexpr, BIASED: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Compute y (batch, out_height, out_width, channels) from x (batch, height, width, channels).

    taps: (KERNEL², channels), read backwards if FLIPPED. SPREAD - 1 zeros are assumed between
    neighbouring inputs: with STRIDE 1 this is the gradient of a convolution with stride SPREAD.
    rows: batch · out_height. Grid: row blocks · column blocks · channel blocks.
    """
    blocks = tl.cdiv(channels, CHANNELS)
    tiles = tl.cdiv(out_width, COLUMNS)
    program = tl.program_id(0)
    channel = (program % blocks) * CHANNELS + tl.arange(0, CHANNELS)
    first = (program // blocks) % tiles * COLUMNS
    row = (program // blocks) // tiles * ROWS + tl.arange(0, ROWS)
    in_channels = (channel < channels)[None, :]
    in_rows = row < rows
    image_row = (row // out_height) * height
    start = (row % out_height) * STRIDE - PADDING

    sums = ()
    for _ in tl.static_range(COLUMNS):
        total = tl.zeros((ROWS, CHANNELS), tl.float32)
        if BIASED:
            total += tl.load(bias + channel, mask=channel < channels, other=0.0)[None, :]
        sums = sums + (total,)  # noqa: RUF005

    for i in range(KERNEL):
        weights = ()
        for j in tl.static_range(KERNEL):
            tap = i * KERNEL + j
            if FLIPPED:
                tap = KERNEL * KERNEL - 1 - tap
            weight = tl.load(taps + tap * channels + channel[None, :], mask=in_channels, other=0.0)
            weights = weights + (weight.to(tl.float32),)  # noqa: RUF005
        spread_row = start + i
        source = spread_row // SPREAD
        inside = in_rows & (spread_row >= 0) & (source < height)
        if SPREAD > 1:
            inside = inside & (spread_row % SPREAD == 0)
        line = x + ((image_row + source).to(tl.int64) * width * channels)[:, None] + channel[None, :]
        for k in tl.static_range((COLUMNS - 1) * STRIDE + KERNEL):
            if SPREAD == 1 or COLUMNS % SPREAD != 0 or (k - PADDING) % SPREAD == 0:
                spread_column = first * STRIDE + k - PADDING
                column = spread_column // SPREAD
                there = (spread_column >= 0) & (column < width)
                if SPREAD > 1:
                    there = there & (spread_column % SPREAD == 0)
                mask = (inside & there)[:, None] & in_channels
                value = tl.load(line + column * channels, mask=mask, other=0.0).to(tl.float32)
                updated = ()
                for t in tl.static_range(COLUMNS):
                    if k - t * STRIDE >= 0 and k - t * STRIDE < KERNEL:
                        updated = updated + (sums[t] + value * weights[k - t * STRIDE],)  # noqa: RUF005
                    else:
                        updated = updated + (sums[t],)  # noqa: RUF005
                sums = updated

    out = y + (row.to(tl.int64) * out_width * channels)[:, None] + channel[None, :]
    for t in tl.static_range(COLUMNS):
        mask = (in_rows & (first + t < out_width))[:, None] & in_channels
        tl.store(out + (first + t) * channels, sums[t].to(y.dtype.element_ty), mask=mask)


@triton.jit(do_not_specialize=["rows", "height", "width", "out_height", "out_width", "share"])
def correlate(  # type: ignore[no-untyped-def]
    gradient, x, parts, rows, height, width, out_height, out_width, channels, share,
    KERNEL: tl.constexpr, STRIDE: tl.constexpr, PADDING: tl.constexpr,
    TAPS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Compute parts (programs, KERNEL² + 1, channels): sums that add up to the weight gradient.

    gradient: (batch, out_height, out_width, channels); x: (batch, height, width, channels). The
    last row of parts is the sum of the gradient, for the bias. A tile holds TAPS rows of the kernel
    at once, so that they share what they load. share: row blocks per program. Grid: (channel blocks
    · blocks of taps, programs).
    """
    blocks = tl.cdiv(channels, CHANNELS)
    channel = (tl.program_id(0) % blocks) * CHANNELS + tl.arange(0, CHANNELS)
    lane = tl.arange(0, TAPS * ROWS)
    tap = (tl.program_id(0) // blocks) * TAPS + lane // ROWS
    in_channels = (channel < channels)[None, :]
    in_taps = tap < KERNEL

    sums = ()
    for _ in tl.static_range(KERNEL):
        sums = sums + (tl.zeros((TAPS * ROWS, CHANNELS), tl.float32),)  # noqa: RUF005
    bias = tl.zeros((TAPS * ROWS, CHANNELS), tl.float32)

    begin = tl.program_id(1) * share
    for block in range(begin, begin + share):
        row = block * ROWS + lane % ROWS
        in_rows = in_taps & (row < rows)
        source = (row % out_height) * STRIDE - PADDING + tap
        inside = in_rows & (source >= 0) & (source < height)
        above = gradient + (row.to(tl.int64) * out_width * channels)[:, None] + channel[None, :]
        image_row = (row // out_height) * height
        line = x + ((image_row + source).to(tl.int64) * width * channels)[:, None] + channel[None, :]
        for first in range(0, out_width, COLUMNS):
            slopes = ()
            for t in tl.static_range(COLUMNS):
                mask = (in_rows & (first + t < out_width))[:, None] & in_channels
                slope = tl.load(above + (first + t) * channels, mask=mask, other=0.0)
                slopes = slopes + (slope.to(tl.float32),)  # noqa: RUF005
                bias += slopes[t]
            for k in tl.static_range((COLUMNS - 1) * STRIDE + KERNEL):
                column = first * STRIDE + k - PADDING
                mask = (inside & (column >= 0) & (column < width))[:, None] & in_channels
                value = tl.load(line + column * channels, mask=mask, other=0.0).to(tl.float32)
                updated = ()
                for j in tl.static_range(KERNEL):
                    total = sums[j]
                    for t in tl.static_range(COLUMNS):
                        if k - t * STRIDE == j:
                            total = total + value * slopes[t]
                    updated = updated + (total,)  # noqa: RUF005
                sums = updated

    size = KERNEL * KERNEL + 1
    kernel_row = (tl.program_id(0) // blocks) * TAPS + tl.arange(0, TAPS)
    target = parts + tl.program_id(1).to(tl.int64) * size * channels + channel[None, :]
    mask = (kernel_row < KERNEL)[:, None] & in_channels
    for j in tl.static_range(KERNEL):
        total = tl.sum(tl.reshape(sums[j], (TAPS, ROWS, CHANNELS)), axis=1)
        tl.store(target + ((kernel_row * KERNEL + j) * channels)[:, None], total, mask=mask)
    total = tl.sum(tl.reshape(bias, (TAPS, ROWS, CHANNELS)), axis=1)
    mask = (kernel_row == 0)[:, None] & in_channels
    tl.store(target + (KERNEL * KERNEL * channels) + (kernel_row * 0)[:, None], total, mask=mask)
