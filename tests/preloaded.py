"""A process that has imported the program: it makes a copy of itself for each call of `roadmap`.

`python -m tests.preloaded light` or `torch`, with one end of a socket as its standard input. Tests
start it through `tests.program`. Each copy is a process with its own group, streams, folder and
environment. It runs the program's own command line to its end, as `python -m roadmap` does.
"""

from __future__ import annotations

import importlib
import json
import os
import selectors
import signal
import socket
import sys
import tempfile
from contextlib import suppress

LIGHT = (
    "analysis.verdicts.answer",
    "experiments.forecast",
    "roadmap.cli.main",
    "roadmap.cli.run",
    "roadmap.cli.tables",
    "scipy.stats",
)
TORCH = (*LIGHT, "experiments.launch.run", "experiments.training.loop", "torch._dynamo")


def preload(kind: str) -> None:
    """Import what calls need: without torch, or with all that a training needs."""
    from experiments.host.imports import imported_without_gc

    with imported_without_gc():
        for name in TORCH if kind == "torch" else LIGHT:
            importlib.import_module(name)
    assert ("torch" in sys.modules) == (kind == "torch")


def serve(control: socket.socket) -> dict:
    """Make a copy for each request. Return only in a copy, with its call."""
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, int] = {}
    selector = selectors.DefaultSelector()
    for source in (control.fileno(), ended):
        selector.register(source, selectors.EVENT_READ)
    while True:
        ready = {key.fd for key, _ in selector.select()}
        if ended in ready:
            os.read(ended, 4096)
            _report(running)
        if control.fileno() not in ready:
            continue
        message, descriptors, _, _ = socket.recv_fds(control, 1 << 20, 4)
        if not message:
            sys.exit()
        *streams, status = descriptors
        child = os.fork()
        if not child:
            selector.close()
            signal.set_wakeup_fd(-1)
            for descriptor in (ended, wake, status, *running.values()):
                os.close(descriptor)
            call = json.loads(message)
            _become(call, streams)
            return call
        for descriptor in streams:
            os.close(descriptor)
        running[child] = status
        os.write(status, f"{child}\n".encode())


def _report(running: dict[int, int]) -> None:
    """Tell who asked of each copy that has ended, by its exit status."""
    for child, status in list(running.items()):
        ended, code = os.waitpid(child, os.WNOHANG)
        if ended:
            del running[child]
            with suppress(BrokenPipeError):  # the test has ended
                os.write(status, f"{os.waitstatus_to_exitcode(code)}\n".encode())
            os.close(status)


def _become(call: dict, streams: list[int]) -> None:
    """Take the streams, the folder, the environment and the signals of a call."""
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.chdir(call["cwd"])
    os.environ.clear()
    os.environ.update(call["environment"])
    tempfile.tempdir = None
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    sys.argv = ["roadmap", *call["arguments"]]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # pytest, which hears it, ends this process
    preload(sys.argv[1])
    with socket.socket(fileno=os.dup(0)) as asked:
        called = serve(asked)
    from roadmap.cli.main import main

    try:
        sys.exit(main(called["arguments"]))
    finally:
        assert not (called["without_torch"] and "torch" in sys.modules), "torch is imported"
