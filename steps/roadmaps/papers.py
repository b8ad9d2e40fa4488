"""Read the table of a paper that a roadmap brings: a CSV file next to its YAML."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from roadmap.errors import Problem, unknown
from roadmap.files import read_text
from roadmap.paper import Paper, read_paper

SHIPPED = Path(__file__).parent
MOST_BYTES = 1_000_000


def load_paper(name: str, *, roadmap: str, folder: Path) -> Paper:
    """Return the table in `name`, a CSV file in `folder`, or the shipped table of that name.

    `roadmap` is the name of the roadmap that brings it; the table's own `roadmap` is then empty if
    it is the same. Raises Problem with file and line for anything wrong.
    """
    path = folder / name if name.endswith(".csv") else SHIPPED / f"{name}.csv"
    if path.parent == SHIPPED and not path.is_file():
        shipped = sorted(path.stem for path in SHIPPED.glob("*.csv"))
        raise unknown("table of a paper", name, [*shipped, "FILE.csv"])
    try:
        paper = read_paper(read_text(path, limit=MOST_BYTES), path.stem)
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Problem(f"{path}: not UTF-8 text") from None
    except Problem as problem:
        raise Problem(f"{path}:{problem}", located=True) from None
    whose = paper.roadmap
    if whose.endswith((".yaml", ".yml")):
        whose = str(path.parent / whose)
    return replace(paper, roadmap="" if Path(whose).stem == roadmap else whose)
