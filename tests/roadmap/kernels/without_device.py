"""Compile the Triton kernels for a GPU without having one.

`python FILE CAPABILITY KERNEL DTYPE` prints a line per kernel and tile.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import triton.backends.nvidia
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from roadmap.kernels.tiles import tiles_to_try
from roadmap.kernels.triton_kernels import convolve, correlate

IN_FLOAT32 = {"taps", "bias", "parts"}
POINTERS = IN_FLOAT32 | {"x", "y", "gradient"}
PTXAS = Path(triton.backends.nvidia.__file__).parent / "bin" / "ptxas"


def constants(tile, kernel, stride, **others):
    sizes = {"tile_rows": tile.rows, "tile_columns": tile.columns, "tile_channels": tile.channels}
    return {"kernel": kernel, "stride": stride, "padding": kernel // 2} | sizes | others


def variants(kernel):
    """Each kernel with each tile that is tried for it, for strides 1 and 2."""
    for tile in tiles_to_try("forward", kernel):
        for stride in (1, 2):
            output = {"spread": 1, "flipped": False, "biased": True}
            yield convolve, tile, constants(tile, kernel, stride, **output)
            of_input = {"spread": stride, "flipped": True, "biased": False}
            yield convolve, tile, constants(tile, kernel, 1, **of_input)
    for tile in tiles_to_try("weight", kernel):
        for stride in (1, 2):
            yield correlate, tile, constants(tile, kernel, stride, tile_taps=tile.taps)


def compiled(function, tile, known, capability, dtype):
    """Return the kernel that Triton makes for maps whose channels are a multiple of 16."""
    kinds = {name: "*fp32" if name in IN_FLOAT32 else f"*{dtype}" for name in POINTERS}
    kinds |= dict.fromkeys(known, "constexpr")
    names = function.arg_names
    aligned = [place for place, name in enumerate(names) if name in POINTERS | {"channels"}]
    source = ASTSource(
        fn=function,
        signature={name: kinds.get(name, "i32") for name in names},
        constexprs=known,
        attrs={(place,): [["tt.divisibility", 16]] for place in aligned},
    )
    target = GPUTarget("cuda", capability, 32)
    return triton.compile(source, target=target, options={"num_warps": tile.warps})


def resources(ptx, capability):
    """Return what ptxas says of registers and spills."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "kernel.ptx")
        source.write_text(ptx)
        chip = f"sm_{capability}{'a' if capability >= 90 else ''}"
        words = [PTXAS, "-v", f"--gpu-name={chip}", source, "-o", Path(folder, "kernel.cubin")]
        told = subprocess.run(words, capture_output=True, text=True, check=True).stderr
    lines = [line.strip() for line in told.splitlines() if "registers" in line or "spill" in line]
    return "; ".join(line.removeprefix("ptxas info    : ") for line in lines)


def main(capability, kernel, dtype):
    for function, tile, known in variants(kernel):
        start = sum(os.times()[:4])  # CPU time, with that of the assembler: others may run here
        made = compiled(function, tile, known, capability, dtype)
        seconds = sum(os.times()[:4]) - start
        print(
            f"{function.__name__} {kernel}×{kernel} {dtype} sm_{capability} {tuple(tile)} stride "
            f"{known['stride']}/{known.get('spread', 1)}: {seconds:.1f} s, "
            f"{made.asm['ptx'].count(chr(10))} lines of PTX, "
            f"{made.metadata.shared} bytes shared; {resources(made.asm['ptx'], capability)}",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
