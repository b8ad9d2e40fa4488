"""Measure our depthwise kernels against cuDNN on this GPU, and write which are used.

`python -m roadmap.kernels.measure --out FILE [--table FILE] [--seconds N]`. The JSON in `--out`
holds every time. `--table roadmap/kernels/faster.json` replaces this GPU's choices there.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any

import torch

from roadmap.kernels.cases import Case, cases
from roadmap.kernels.choice import DIRECTIONS, SIDES
from roadmap.kernels.tiles import tiles_to_try

GAIN = 0.01  # ms by which ours must be faster: about what its call costs the CPU more


def measure(
    chosen: Sequence[Case] | None = None, *, seconds: float = 55, workers: int | None = None
) -> dict[str, Any]:
    """Time every direction of the cases and return the times and the choices, as JSON values.

    Compiles in `workers` processes first (default: up to 14, one per core). A failure of one tile
    is reported in its row. After `seconds` the remaining cases are listed in `left_out`.
    """
    start = time.monotonic()
    chosen = cases() if chosen is None else chosen
    workers = min(14, os.cpu_count() or 1) if workers is None else workers
    failures = compile_all(chosen, workers, seconds / 2)
    compiling = time.monotonic() - start
    rows: list[dict[str, Any]] = []
    left_out = []
    for case in chosen:
        if time.monotonic() - start > seconds:
            left_out.append(str(case))
            continue
        for row in _rows(case):
            rows.append(row)
            print(line(row), flush=True)
    return {
        "gpu": torch.cuda.get_device_name(),
        "capability": ".".join(map(str, torch.cuda.get_device_capability())),
        "torch": torch.__version__,
        "cudnn": torch.backends.cudnn.version(),
        "triton": __import__("triton").__version__,
        "compiling_seconds": round(compiling, 1),
        "seconds": round(time.monotonic() - start, 1),
        "rows": rows,
        "failures": failures,
        "left_out": left_out,
        "choices": choices(rows),
    }


def compile_all(chosen: Sequence[Case], workers: int, seconds: float) -> list[str]:
    """Compile the kernels of the cases into Triton's cache, side by side; return failures.

    What is not compiled after `seconds` is compiled when it is measured.
    """
    jobs = {
        (*case.variant(), direction, number): None  # the most important first
        for case in chosen
        for direction in DIRECTIONS
        for number in range(len(tiles_to_try(direction, case.kernel)))
    }
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    done, _ = wait([pool.submit(_compile, job) for job in jobs], timeout=seconds)
    pool.shutdown(wait=True, cancel_futures=True)
    return [str(future.exception() or future.result()) for future in done if _failed(future)]


def _failed(future: Future[str]) -> bool:
    return future.exception() is not None or bool(future.result())


def _compile(job: tuple[int, int, bool, torch.dtype, str, int]) -> str:
    """Run one kernel once on a small map, which compiles it; return its failure or ""."""
    from roadmap.kernels.timing import Workload

    kernel, stride, aligned, dtype, direction, number = job
    case = Case(kernel, stride, 32 if aligned else 24, 16, batch=2, dtype=dtype)
    try:
        Workload(case).ours(direction, tiles_to_try(direction, kernel)[number])
        torch.cuda.synchronize()
    except Exception:  # whatever a compiler raises: the others are still measured
        return f"{job}: {traceback.format_exc()[-400:]}"
    return ""


def _rows(case: Case) -> Iterator[dict[str, Any]]:
    """Time the directions of a case; a failure becomes the row's `failure`."""
    from roadmap.kernels.timing import TOLERANCE, Workload, milliseconds

    about = {"case": str(case), "kernel": case.kernel, "stride": case.stride}
    about |= {"channels": case.channels, "side": case.side, "batch": case.batch}
    about["dtype"] = str(case.dtype).removeprefix("torch.")
    try:
        problem = Workload(case)
    except Exception as failure:  # out of memory
        yield about | {"failure": str(failure)[:300]}
        return
    for direction in DIRECTIONS:
        row: dict[str, Any] = about | {"direction": direction, "ours": [], "failure": ""}
        try:
            row["cudnn_ms"] = milliseconds(partial(problem.torchs, direction))
            row["copy_ms"] = milliseconds(problem.x.clone)
        except Exception as failure:
            row["failure"] = f"cuDNN: {str(failure)[:200]} "
        for tile in tiles_to_try(direction, case.kernel):
            try:
                error = problem.error(direction, tile)
                if error > TOLERANCE[case.dtype]:
                    row["failure"] += f"{tuple(tile)} is wrong: relative error {error:.1e} "
                    continue
                ms = milliseconds(partial(problem.ours, direction, tile))
                row["ours"].append({"tile": list(tile), "ms": ms, "error": error})
            except Exception as failure:
                row["failure"] += f"{tuple(tile)}: {str(failure)[:200]} "
        yield row


def line(row: dict[str, Any]) -> str:
    """Return a row of the table: best of ours, cuDNN, the factor, and a copy of the input."""
    if not row.get("ours"):
        return f"{row['case']:44} {row.get('direction', ''):8} failed: {row['failure']}"
    best = min(row["ours"], key=lambda timed: timed["ms"])
    tiles = " ".join(f"{timed['ms']:.3f}" for timed in row["ours"])
    cudnn = row.get("cudnn_ms", float("nan"))
    text = (
        f"{row['case']:44} {row['direction']:8} ours {best['ms']:7.3f} ms, cuDNN {cudnn:7.3f}, "
        f"×{cudnn / best['ms']:5.2f}, copy {row.get('copy_ms', float('nan')):6.3f}, "
        f"error {best['error']:.0e} (tiles: {tiles})"
    )
    return text + (f" failed: {row['failure']}" if row["failure"] else "")


def choices(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the table of choices: per class of shapes the tile of each direction that ours wins.

    A direction is ours down to the smallest map (`least` values per image) above which every
    measured one was faster by GAIN. The tile is the one with the least total time over those.
    """
    classes: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        if "cudnn_ms" in row:
            side = next(limit for limit in SIDES if row["side"] <= limit)
            key = (row["kernel"], row["stride"], side, row["channels"] % 16 == 0, row["dtype"])
            classes.setdefault(key, []).append(row)
    entries = []
    for key, members in classes.items():
        names = ("kernel", "stride", "side", "aligned", "dtype")
        entry: dict[str, Any] = dict(zip(names, key, strict=True))
        least = 0
        for direction in DIRECTIONS:
            won = _won([row for row in members if row["direction"] == direction])
            if won:
                entry[direction] = _tile(won)
                least = max(least, min(_values(row) for row in won))
        if least:
            entries.append(entry | {"least": least})
    return entries


def _won(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows from the largest map down to the first that ours does not win."""
    won = []
    for row in sorted(rows, key=_values, reverse=True):
        best = min((timed["ms"] for timed in row["ours"]), default=float("inf"))
        if best + GAIN >= row["cudnn_ms"]:
            break
        won.append(row)
    return won


def _values(row: dict[str, Any]) -> int:
    return row["channels"] * row["side"] ** 2


def _tile(rows: list[dict[str, Any]]) -> list[int]:
    """Return the tile with the least total time among those that worked for every row."""
    totals: dict[tuple[int, ...], list[float]] = {}
    for row in rows:
        for timed in row["ours"]:
            totals.setdefault(tuple(timed["tile"]), []).append(timed["ms"])
    whole = {tile: sum(times) for tile, times in totals.items() if len(times) == len(rows)}
    return list(min(whole.items(), key=lambda item: item[1])[0])


def write_table(result: dict[str, Any], path: Path) -> None:
    """Replace the choices of the measured GPU in a table of choices."""
    table = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    about = ("capability", "torch", "cudnn", "triton")
    table[result["gpu"]] = {name: result.get(name) for name in (*about, "choices")}
    path.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a table and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="write all times here, as JSON")
    parser.add_argument("--table", type=Path, help="replace this GPU's choices in this file")
    parser.add_argument("--seconds", type=float, default=55, help="stop measuring after this time")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        raise SystemExit("no GPU: torch.cuda.is_available() is False")
    result = measure(seconds=options.seconds)
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if options.table:
        write_table(result, options.table)
    print(
        f"{len(result['rows'])} rows in {result['seconds']} s ({result['compiling_seconds']} s "
        f"compiling), {len(result['choices'])} choices, {len(result['failures'])} failures, "
        f"{len(result['left_out'])} cases left out"
    )
    for failure in result["failures"]:
        print(failure)


if __name__ == "__main__":
    main()
