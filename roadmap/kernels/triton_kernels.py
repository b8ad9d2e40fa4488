"""Depthwise convolutions in Triton, over channels-last maps; sums are in float32.

One program computes a tile: `tile_rows` rows (of all images, one below the other), `tile_columns`
neighbouring columns and `tile_channels` channels. It loads a column of the input once for all the
outputs of the tile that need it. Loops over columns are unrolled. Loops over rows are not: that
keeps compiling short.
"""

# Triton's language: a tuple of tensors grows in an unrolled loop.
# ruff: noqa: RUF005
# mypy: disable-error-code="assignment,var-annotated"

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["rows", "height", "width", "out_height", "out_width"])
def convolve(
    x, taps, bias, y, rows, height, width, out_height, out_width, channels,
    kernel: tl.constexpr, stride: tl.constexpr, spread: tl.constexpr, padding: tl.constexpr,
    flipped: tl.constexpr, biased: tl.constexpr,
    tile_rows: tl.constexpr, tile_columns: tl.constexpr, tile_channels: tl.constexpr,
):  # fmt: skip
    """Compute y (batch, out_height, out_width, channels) from x (batch, height, width, channels).

    taps: (kernel², channels), read backwards if flipped. spread - 1 zeros are assumed between
    neighbouring inputs: with stride 1 this is the gradient of a convolution with stride spread.
    rows: batch · out_height. Grid: row blocks · column blocks · channel blocks.
    """
    blocks = tl.cdiv(channels, tile_channels)
    tiles = tl.cdiv(out_width, tile_columns)
    program = tl.program_id(0)
    channel = (program % blocks) * tile_channels + tl.arange(0, tile_channels)
    first = (program // blocks) % tiles * tile_columns
    row = (program // blocks) // tiles * tile_rows + tl.arange(0, tile_rows)
    in_channels = (channel < channels)[None, :]
    in_rows = row < rows
    image_row = (row // out_height) * height
    start = (row % out_height) * stride - padding

    sums = ()
    for _ in tl.static_range(tile_columns):
        total = tl.zeros((tile_rows, tile_channels), tl.float32)
        if biased:
            total += tl.load(bias + channel, mask=channel < channels, other=0.0)[None, :]
        sums = sums + (total,)

    for i in range(kernel):
        weights = ()
        for j in tl.static_range(kernel):
            tap = i * kernel + j
            if flipped:
                tap = kernel * kernel - 1 - tap
            weight = tl.load(taps + tap * channels + channel[None, :], mask=in_channels, other=0.0)
            weights = weights + (weight.to(tl.float32),)
        spread_row = start + i
        source = spread_row // spread
        inside = in_rows & (spread_row >= 0) & (source < height)
        if spread > 1:
            inside = inside & (spread_row % spread == 0)
        line = (
            x + ((image_row + source).to(tl.int64) * width * channels)[:, None] + channel[None, :]
        )
        for k in tl.static_range((tile_columns - 1) * stride + kernel):
            if spread == 1 or tile_columns % spread != 0 or (k - padding) % spread == 0:
                spread_column = first * stride + k - padding
                column = spread_column // spread
                there = (spread_column >= 0) & (column < width)
                if spread > 1:
                    there = there & (spread_column % spread == 0)
                mask = (inside & there)[:, None] & in_channels
                value = tl.load(line + column * channels, mask=mask, other=0.0).to(tl.float32)
                updated = ()
                for t in tl.static_range(tile_columns):
                    if k - t * stride >= 0 and k - t * stride < kernel:
                        updated = updated + (sums[t] + value * weights[k - t * stride],)
                    else:
                        updated = updated + (sums[t],)
                sums = updated

    out = y + (row.to(tl.int64) * out_width * channels)[:, None] + channel[None, :]
    for t in tl.static_range(tile_columns):
        mask = (in_rows & (first + t < out_width))[:, None] & in_channels
        tl.store(out + (first + t) * channels, sums[t].to(y.dtype.element_ty), mask=mask)


@triton.jit(do_not_specialize=["rows", "height", "width", "out_height", "out_width", "share"])
def correlate(
    gradient, x, parts, rows, height, width, out_height, out_width, channels, share,
    kernel: tl.constexpr, stride: tl.constexpr, padding: tl.constexpr,
    tile_taps: tl.constexpr, tile_rows: tl.constexpr, tile_columns: tl.constexpr,
    tile_channels: tl.constexpr,
):  # fmt: skip
    """Compute parts (programs, kernel² + 1, channels): sums that add up to the weight gradient.

    gradient: (batch, out_height, out_width, channels); x: (batch, height, width, channels). The
    last row of parts is the sum of the gradient, for the bias. A tile holds `tile_taps` rows of the
    kernel at once, because they read the same rows of both. share: row blocks per program. Grid:
    (channel blocks · blocks of taps, programs).
    """
    blocks = tl.cdiv(channels, tile_channels)
    channel = (tl.program_id(0) % blocks) * tile_channels + tl.arange(0, tile_channels)
    lane = tl.arange(0, tile_taps * tile_rows)
    tap = (tl.program_id(0) // blocks) * tile_taps + lane // tile_rows
    in_channels = (channel < channels)[None, :]
    in_taps = tap < kernel

    sums = ()
    for _ in tl.static_range(kernel):
        sums = sums + (tl.zeros((tile_taps * tile_rows, tile_channels), tl.float32),)
    bias = tl.zeros((tile_taps * tile_rows, tile_channels), tl.float32)

    begin = tl.program_id(1) * share
    for block in range(begin, begin + share):
        row = block * tile_rows + lane % tile_rows
        in_rows = in_taps & (row < rows)
        source = (row % out_height) * stride - padding + tap
        inside = in_rows & (source >= 0) & (source < height)
        above = gradient + (row.to(tl.int64) * out_width * channels)[:, None] + channel[None, :]
        image_row = (row // out_height) * height
        line = (
            x + ((image_row + source).to(tl.int64) * width * channels)[:, None] + channel[None, :]
        )
        for first in range(0, out_width, tile_columns):
            slopes = ()
            for t in tl.static_range(tile_columns):
                mask = (in_rows & (first + t < out_width))[:, None] & in_channels
                slope = tl.load(above + (first + t) * channels, mask=mask, other=0.0)
                slopes = slopes + (slope.to(tl.float32),)
                bias += slopes[t]
            for k in tl.static_range((tile_columns - 1) * stride + kernel):
                column = first * stride + k - padding
                mask = (inside & (column >= 0) & (column < width))[:, None] & in_channels
                value = tl.load(line + column * channels, mask=mask, other=0.0).to(tl.float32)
                updated = ()
                for j in tl.static_range(kernel):
                    total = sums[j]
                    for t in tl.static_range(tile_columns):
                        if k - t * stride == j:
                            total = total + value * slopes[t]
                    updated = updated + (total,)
                sums = updated

    size = kernel * kernel + 1
    kernel_row = (tl.program_id(0) // blocks) * tile_taps + tl.arange(0, tile_taps)
    target = parts + tl.program_id(1).to(tl.int64) * size * channels + channel[None, :]
    mask = (kernel_row < kernel)[:, None] & in_channels
    for j in tl.static_range(kernel):
        total = tl.sum(tl.reshape(sums[j], (tile_taps, tile_rows, tile_channels)), axis=1)
        tl.store(target + ((kernel_row * kernel + j) * channels)[:, None], total, mask=mask)
    total = tl.sum(tl.reshape(bias, (tile_taps, tile_rows, tile_channels)), axis=1)
    mask = (kernel_row == 0)[:, None] & in_channels
    tl.store(target + (kernel * kernel * channels) + (kernel_row * 0)[:, None], total, mask=mask)
