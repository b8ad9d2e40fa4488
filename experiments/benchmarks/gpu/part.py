"""A part of the benchmark: a function that runs in a process of its own, within a time limit.

A part that fails, hangs or is killed loses nothing that it or another has measured before.
"""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from experiments.benchmarks.gpu.plan import Plan
from experiments.benchmarks.measure import Measurement


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A value for the top level of the JSON file."""

    key: str
    value: Any


class Skipped(Exception):
    """A part cannot be measured here; the message says why."""


Measure = Callable[[Plan], Iterator[Measurement | Fact]]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A title for people, the function, and seconds after which it is ended.

    `reserved` seconds are left for it by the parts before.
    """

    title: str
    measure: Measure
    limit: float
    reserved: float = 0.0


@dataclass(frozen=True, kw_only=True)
class End:
    """How a part ended: done, skipped, failed or out of time, and why."""

    status: str
    reason: str = ""


def run(part: Part, plan: Plan) -> Iterator[Measurement | Fact | End]:
    """Run a part in a process of its own; the last value says how it ended."""
    # A fork has the imports already. No CUDA call was made before it.
    context = get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(part.measure, plan, sending))
    process.start()
    sending.close()
    deadline = time.monotonic() + part.limit
    end = End(status="failed", reason="its process ended")
    try:
        while receiving.poll(max(0.0, deadline - time.monotonic())):
            value = receiving.recv()
            if isinstance(value, End):
                end = value
                break
            yield value
        else:
            end = End(status="out of time", reason=f"ended after {part.limit:.0f} s")
    except EOFError:
        process.join()
        end = End(status="failed", reason=f"its process ended with code {process.exitcode}")
    finally:
        _end(process.pid)
        process.join()
    yield end


def _work(measure: Measure, plan: Plan, sending: Connection) -> None:
    os.setsid()  # so that it can be ended with all that it starts
    try:
        for value in measure(plan):
            sending.send(value)
        sending.send(End(status="done"))
    except Skipped as reason:
        sending.send(End(status="skipped", reason=str(reason)))
    except Exception as error:
        traceback.print_exc()
        sending.send(End(status="failed", reason=f"{type(error).__name__}: {error}"[:500]))


def _end(group: int | None) -> None:
    """End what is left of a part's process group."""
    # It may have ended already, or not have got as far as a group of its own.
    with suppress(ProcessLookupError, PermissionError):
        if group is not None:
            os.killpg(group, signal.SIGKILL)
