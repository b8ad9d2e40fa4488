"""Data sets that are drawn here instead of downloaded, in threads that share the work."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Self

from experiments.data.source import OneSet, Progress


class Drawn(OneSet):
    """A data set that is drawn, with the values that its class has by default."""

    @classmethod
    def read(cls, name: str, root: Path | None) -> Self:
        """Return the built-in set."""
        return cls()


def in_threads(
    function: Callable[..., None], blocks: Sequence[tuple[Any, ...]], progress: Progress | None
) -> None:
    """Call the function with each block's arguments, in up to eight threads.

    progress(done, total) counts blocks. NumPy releases the interpreter lock, so drawing gains. If
    a call fails, those that have not begun are dropped.
    """
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        jobs = [pool.submit(function, *block) for block in blocks]
        try:
            for done, job in enumerate(as_completed(jobs), start=1):
                job.result()
                if progress is not None:
                    progress(done, len(blocks))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
