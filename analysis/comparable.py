"""Whether the paper's numbers may stand next to runs: only on the data that they are about."""

from __future__ import annotations

from analysis.selection import Selection, own_data
from roadmap.rows import Roadmap

VALIDATION = 50_000  # images of ImageNet-1K


def stands_beside_paper(roadmap: Roadmap, selection: Selection, *, asked: bool = False) -> bool:
    """Return whether the paper's column and figures are shown next to the runs of a selection.

    They are if the command `asked` for them, or if the runs are on the data set that the roadmap's
    own file names next to its paper, or on ImageNet-1K. Without runs, the data that were asked for
    decide. Private photos are not compared with ImageNet, nor detection with
    classification.
    """
    if roadmap.paper is None or roadmap.rows[-1].spec.recipe.task is not None:
        return False
    if asked or selection.data is None:
        return True
    if selection.data == own_data(roadmap.data, {selection.data}):
        return True
    data = next((run.data for run in selection.runs), {})
    return (data.get("classes"), data.get("val")) == (roadmap.paper.classes, VALIDATION)
