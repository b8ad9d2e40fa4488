"""What tests give to workers, in a file of its own: a worker imports it, and so not torch."""

import os
import time
from pathlib import Path

from experiments.host.events import Message
from roadmap.errors import Problem


def say_and_wait(path, observe):
    """Tell the process's number; return "done" once a file exists."""
    observe(Message(run="run", text=str(os.getpid())))
    while not Path(path).exists():
        time.sleep(0.01)
    return "done"


def fail(text, observe):
    """Fail."""
    raise Problem(text)
