"""The command line: parse the options, run one command, turn errors into exit codes.

Only the command line imports from all packages. It imports the module of a command when that
command runs, so that `--help` takes no time and only training loads torch.
"""

from __future__ import annotations

import errno
import pkgutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from roadmap.cli.console import DONE, FAILED, INTERRUPTED, RESUME, WRONG, finish, prepare, say
from roadmap.cli.options import make_parser
from roadmap.cli.workspace import Workspace
from roadmap.errors import Problem

# File errors that the user can correct: a wrong or read-only path.
USERS = (
    errno.EEXIST,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EACCES,
    errno.EROFS,
    errno.ENAMETOOLONG,
    errno.ELOOP,
)

# `python -m` puts the working directory first: a steps.py of the user's there must not hide ours.
sys.path.insert(0, str(Path(__file__).parents[2]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Return 0 if it worked, 1 if a run failed, 2 if the input is wrong.

    An output that cannot be written, as on a full disk, is a failure too.
    """
    prepare()
    try:
        code = _run(arguments)
    except SystemExit:  # of --help and of wrong options
        if finish():
            raise
        return FAILED
    if not finish() and code == DONE:
        return FAILED
    return code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        parser = make_parser()
        options = parser.parse_args(arguments)
        if options.command is None:
            parser.print_help()
            return DONE
        given = tuple(sys.argv[1:] if arguments is None else arguments)
        return pkgutil.resolve_name(f"roadmap.cli.{options.command}")(Workspace(options, given))
    except Problem as problem:
        say(str(problem))
        return WRONG
    except OSError as error:
        why = error.strerror or str(error)
        name = error.filename2 or error.filename  # of a rename the target, whose name is the user's
        say(f"{name}: {why}" if name else why)
        return WRONG if error.errno in USERS else FAILED
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, _end_processes)
        say(RESUME)
        return INTERRUPTED


def _end_processes(*_: object) -> None:
    """Kill the processes that still save, instead of raising in the interpreter's own clean-up."""
    import multiprocessing

    for process in multiprocessing.active_children():
        process.kill()


if __name__ == "__main__":
    sys.exit(main())
