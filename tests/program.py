"""Calls of `roadmap` as processes of their own, which need not import torch for seconds each."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Program:
    """A call that runs. It has the attributes of `subprocess.Popen` that tests use.

    `torch`: whether torch is imported before. `without_torch`: fail if the call imports it.
    """

    def __init__(
        self,
        arguments: Sequence[object],
        *,
        torch: bool = True,
        without_torch: bool = False,
        cwd: str | Path = ROOT,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.args = ["roadmap", *map(str, arguments)]
        self.returncode: int | None = None
        self._rest = ""
        out, err, status = (os.pipe() for _ in range(3))
        call = {
            "arguments": self.args[1:],
            "without_torch": without_torch,
            "cwd": str(cwd),
            "environment": {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        }
        with open(os.devnull) as nothing:
            given = [nothing.fileno(), out[1], err[1], status[1]]
            socket.send_fds(
                _preloaded("torch" if torch else "light"), [json.dumps(call).encode()], given
            )
        for pipe in (out, err, status):
            os.close(pipe[1])
        self.stdout, self.stderr = os.fdopen(out[0]), os.fdopen(err[0])
        self._status = status[0]
        self.pid = int(self._told(None) or -1)
        assert self.pid > 0, "the preloaded process has ended"

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        if self.returncode is None and (text := self._told(0)):
            self.returncode = int(text)
            os.close(self._status)
        return self.returncode

    def wait(self, timeout: float = 300) -> int:
        """Return the exit code, once it has ended."""
        if self.poll() is None:
            if not (text := self._told(timeout)):
                raise subprocess.TimeoutExpired(self.args, timeout)
            self.returncode = int(text)
            os.close(self._status)
        assert self.returncode is not None
        return self.returncode

    def communicate(self, timeout: float = 300) -> tuple[str, str]:
        """Return what it printed and its messages, once its pipes are closed and it has ended."""
        end = time.monotonic() + timeout
        read = ["", ""]

        def take(number: int, stream) -> None:
            read[number] = stream.read()

        takers = [
            threading.Thread(target=take, args=each, daemon=True)
            for each in enumerate((self.stdout, self.stderr))
            if not each[1].closed
        ]
        for taker in takers:
            taker.start()
        for taker in takers:
            taker.join(max(0, end - time.monotonic()))
            if taker.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout)
        self.stdout.close()
        self.stderr.close()
        self.wait(max(0.001, end - time.monotonic()))
        return read[0], read[1]

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _told(self, timeout: float | None) -> str:
        """Return the next line about it, or "" where none comes in time."""
        while "\n" not in self._rest:
            if not select.select([self._status], [], [], timeout)[0]:
                return ""
            if not (new := os.read(self._status, 100)):
                raise ChildProcessError("the preloaded process has ended")
            self._rest += new.decode()
        line, _, self._rest = self._rest.partition("\n")
        return line


def run(*arguments: object, torch: bool = False, **given) -> subprocess.CompletedProcess[str]:
    """Call `roadmap` and return its exit code, its output and its messages, as `subprocess.run`."""
    program = Program(arguments, torch=torch, **given)
    output, errors = program.communicate()
    return subprocess.CompletedProcess(program.args, program.wait(), output, errors)


@cache
def _preloaded(kind: str) -> socket.socket:
    """Start the process that is copied, once in each process of pytest. It ends with pytest."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.preloaded", kind],
            cwd=ROOT,
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours
