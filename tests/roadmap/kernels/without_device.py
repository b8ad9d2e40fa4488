"""Compile the Triton kernels for GPUs without having one: `python FILE CAPABILITY KERNEL DTYPE`."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import triton.backends.nvidia
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from roadmap.kernels.tiles import CONVOLVE, correlate_tiles
from roadmap.kernels.triton_kernels import convolve, correlate

POINTERS = {"x", "taps", "bias", "y", "gradient", "parts"}
PTXAS = Path(triton.backends.nvidia.__file__).parent / "bin" / "ptxas"


def compiled(function, capability, dtype, warps, **constants):
    """Compile and return seconds, and what ptxas says of registers and spills."""
    wide = {"taps", "bias", "parts"}
    signature = {}
    for name in function.arg_names:
        if name in constants:
            signature[name] = "constexpr"
        elif name in POINTERS:
            signature[name] = "*fp32" if name in wide else f"*{dtype}"
        else:
            signature[name] = "i32"
    aligned = [name for name in function.arg_names if name in POINTERS | {"channels"}]
    places = [(function.arg_names.index(name),) for name in aligned]
    source = ASTSource(
        fn=function,
        signature=signature,
        constexprs=constants,
        attrs={place: [["tt.divisibility", 16]] for place in places},
    )
    start = time.perf_counter()
    target = GPUTarget("cuda", capability, 32)
    made = triton.compile(source, target=target, options={"num_warps": warps})
    seconds = time.perf_counter() - start
    return seconds, _resources(made.asm["ptx"], capability), made.metadata.shared


def _resources(ptx, capability):
    """Return ptxas's line on registers and the one on spills, if ptxas is there."""
    if not PTXAS.exists():
        return "no ptxas"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "kernel.ptx")
        source.write_text(ptx)
        chip = f"sm_{capability}{'a' if capability >= 90 else ''}"
        words = [PTXAS, "-v", f"--gpu-name={chip}", source, "-o", Path(folder, "kernel.cubin")]
        told = subprocess.run(words, capture_output=True, text=True, check=True).stderr
    lines = [line.strip() for line in told.splitlines() if "registers" in line or "spill" in line]
    return "; ".join(line.removeprefix("ptxas info    : ") for line in lines)


def variants(kernel):
    """Each kernel with each tile that is tried for it, for strides 1 and 2."""
    for tile in CONVOLVE:
        shape = {"ROWS": tile.rows, "COLUMNS": tile.columns, "CHANNELS": tile.channels}
        for stride, spread, flipped in ((1, 1, False), (1, 1, True), (2, 1, False), (1, 2, True)):
            yield (
                convolve,
                tile,
                {"KERNEL": kernel, "STRIDE": stride, "SPREAD": spread, "PADDING": kernel // 2}
                | {"FLIPPED": flipped, "BIASED": not flipped}
                | shape,
            )
    for tile in correlate_tiles(kernel):
        shape = {"ROWS": tile.rows, "COLUMNS": tile.columns, "CHANNELS": tile.channels}
        for stride in (1, 2):
            constants = {"KERNEL": kernel, "STRIDE": stride, "PADDING": kernel // 2}
            yield correlate, tile, constants | {"TAPS": tile.taps} | shape


if __name__ == "__main__":
    capability, kernel, dtype = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    for function, tile, constants in variants(kernel):
        if constants["STRIDE"] * constants.get("SPREAD", 1) > 1 and "--all" not in sys.argv:
            continue
        seconds, resources, shared = compiled(function, capability, dtype, tile.warps, **constants)
        print(
            f"{function.__name__} {kernel}×{kernel} {dtype} sm_{capability} {tuple(tile)} "
            f"stride {constants['STRIDE']}/{constants.get('SPREAD', 1)}: {seconds:.1f} s, shared {shared}, {resources}",
            flush=True,
        )
