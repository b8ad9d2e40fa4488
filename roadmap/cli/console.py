"""What a command says to its caller: an exit code, results on stdout, messages on stderr.

A reader that closes its end early, as in `roadmap table | head`, changes neither the work that is
done nor the exit code.
"""

from __future__ import annotations

import io
import os
import sys
import textwrap
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from roadmap.errors import escaped, visible

DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130
RESUME = "interrupted; run the same command again to resume"


def show(result: object) -> None:
    """Print a result; control characters of a path are escaped."""
    text = escaped(str(result)) if isinstance(result, Path) else result
    _write(sys.stdout, f"{text}\n")


def say(message: str) -> None:
    """Print a message as one line. A terminal wraps it at words; a log keeps it whole."""
    line = f"roadmap: {visible(message)}"
    if sys.stderr is not None and sys.stderr.isatty():
        line = textwrap.fill(line, 80, break_long_words=False, break_on_hyphens=False)
    _write(sys.stderr, f"{line}\n")


def prepare() -> None:
    """Replace characters that the terminal does not have, such as ×, instead of failing.

    Open /dev/null in place of a standard stream that the caller closed. Otherwise the next opened
    file would take its number, and libraries and child processes would print into that file.
    """
    for number in range(3):
        with suppress(OSError):
            os.fstat(number)
            continue
        os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def finish() -> bool:
    """Write what is still buffered, such as the text of --help; return whether that worked."""
    try:
        _write(sys.stderr, "")
        _write(sys.stdout, "")
    except OSError as error:  # such as a full disk
        say(str(error.strerror))
        return False
    return True


def _write(stream: TextIO | None, text: str) -> None:
    """Write to a stream of ours. Drop the text after its reader has gone.

    Messages are also dropped where they cannot be written, as on a full disk.
    """
    if stream is None or stream.closed:
        return
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        _to_nowhere(stream)
        if stream is not sys.stderr and not isinstance(error, BrokenPipeError):
            why = f"the output could not be written: {error.strerror}"
            raise OSError(error.errno, why) from None


def _to_nowhere(stream: TextIO) -> None:
    """Drop what the stream still holds: the interpreter writes it again when it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
