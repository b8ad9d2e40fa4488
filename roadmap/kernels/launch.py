"""Launch the Triton kernels: shapes, tiles and grids. Import this only where Triton exists."""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from roadmap.kernels.tiles import Tile
from roadmap.kernels.triton_kernels import convolve, correlate

PROGRAMS = 1024  # of a weight gradient: some for each multiprocessor, and few partial sums


def forward(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int, tile: Tile
) -> Tensor:
    """Return the depthwise convolution of x (batch, channels, height, width), channels last.

    weight: (channels, 1, kernel, kernel); bias: (channels,).
    """
    kernel = weight.shape[-1]
    batch, channels, height, width = x.shape
    size = tuple((side + 2 * padding - kernel) // stride + 1 for side in (height, width))
    y = torch.empty(
        (batch, channels, *size), dtype=x.dtype, device=x.device, memory_format=torch.channels_last
    )
    _convolve(x, weight, bias, y, tile, stride=stride, spread=1, padding=padding, flipped=False)
    return y


def input_gradient(
    gradient: Tensor, weight: Tensor, size: tuple[int, int], stride: int, padding: int, tile: Tile
) -> Tensor:
    """Return the gradient (batch, channels, *size) of the input, channels last.

    gradient: of the output, (batch, channels, height, width), channels last.
    """
    shape = (*gradient.shape[:2], *size)
    y = torch.empty(
        shape, dtype=gradient.dtype, device=gradient.device, memory_format=torch.channels_last
    )
    padding = weight.shape[-1] - 1 - padding
    _convolve(
        gradient, weight, None, y, tile, stride=1, spread=stride, padding=padding, flipped=True
    )
    return y


def _convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    y: Tensor,
    tile: Tile,
    *,
    stride: int,
    spread: int,
    padding: int,
    flipped: bool,
) -> None:
    batch, channels, out_height, out_width = y.shape
    rows = batch * out_height
    taps = weight.flatten(1).t().contiguous()
    grid = (
        triton.cdiv(rows, tile.rows)
        * triton.cdiv(out_width, tile.columns)
        * triton.cdiv(channels, tile.channels),
    )
    with torch.cuda.device_of(x):  # Triton launches on the current device
        convolve[grid](
            x,
            taps,
            taps if bias is None else bias,
            y,
            rows,
            *x.shape[2:],
            out_height,
            out_width,
            channels,
            kernel=weight.shape[-1],
            stride=stride,
            spread=spread,
            padding=padding,
            flipped=flipped,
            biased=bias is not None,
            tile_rows=tile.rows,
            tile_columns=tile.columns,
            tile_channels=tile.channels,
            num_warps=tile.warps,
        )


def weight_gradient(
    gradient: Tensor, x: Tensor, kernel: int, stride: int, padding: int, tile: Tile
) -> Tensor:
    """Return the float32 gradients of weights and bias: (kernel² + 1, channels), the bias last.

    gradient, x: (batch, channels, height, width) of output and input, channels last. Each program
    writes its own partial sums; their sum has a fixed order, so that results repeat bit by bit.
    """
    batch, channels, out_height, out_width = gradient.shape
    rows = batch * out_height
    blocks = triton.cdiv(channels, tile.channels) * triton.cdiv(kernel, tile.taps)
    row_blocks = triton.cdiv(rows, tile.rows)
    share = triton.cdiv(row_blocks, max(1, min(row_blocks, PROGRAMS // blocks)))
    programs = triton.cdiv(row_blocks, share)
    parts = torch.empty((programs, kernel**2 + 1, channels), dtype=torch.float32, device=x.device)
    with torch.cuda.device_of(x):
        correlate[(blocks, programs)](
            gradient,
            x,
            parts,
            rows,
            *x.shape[2:],
            out_height,
            out_width,
            channels,
            share,
            kernel=kernel,
            stride=stride,
            padding=padding,
            tile_taps=tile.taps,
            tile_rows=tile.rows,
            tile_columns=tile.columns,
            tile_channels=tile.channels,
            num_warps=tile.warps,
        )
    return parts.sum(0)
