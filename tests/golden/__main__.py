"""Write every shipped row as text: `python -m tests.golden` rewrites the files in this folder.

A file has the row's fingerprint, its cost, and its whole spec with all defaults, so that a change
of any row shows as a text difference in review.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pydantic
import yaml

from roadmap.heads import spec_cost
from roadmap.rows import Row
from roadmap.spec import Spec, fingerprint
from steps.roadmaps.load import SHIPPED, load_roadmap

FOLDER = Path(__file__).parent


def golden_texts() -> Iterator[tuple[Path, str]]:
    """Give the path and the text of every row of the shipped roadmaps."""
    for name in SHIPPED:
        roadmap = load_roadmap(name)
        for row in roadmap:
            yield FOLDER / name / f"{row.number}.txt", golden_text(row)
        for task in roadmap.tasks:  # its recipe is the same in all rows
            last = list(roadmap.for_task(task))[-1]
            yield FOLDER / name / f"{task}-{last.number}.txt", golden_text(last)


def golden_text(row: Row) -> str:
    """Return a row as YAML: lists and mappings of single values on one line each."""
    spec = row.spec
    total = spec_cost(spec)
    size = spec.recipe.task.cost_size if spec.recipe.task else spec.recipe.image_size
    shown = size if isinstance(size, int) else " × ".join(map(str, size))
    data = {
        "row": row.number,
        "step": row.step,
        "title": row.title,
        "from": row.before.number if row.before else None,
        "fingerprints": {
            "spec": spec.fingerprint,
            "network": fingerprint(spec.network),
            "recipe": fingerprint(spec.recipe),
        },
        f"cost at {shown} pixels": {
            "macs": total.macs,
            "params": total.params,
            "activations": total.activations,
        },
        **pydantic.TypeAdapter(Spec).dump_python(spec, mode="json"),
    }
    return yaml.safe_dump(
        data, sort_keys=False, allow_unicode=True, width=1000, default_flow_style=None
    )


if __name__ == "__main__":
    for path, text in golden_texts():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
