"""The notebook docs/tour.ipynb runs, and shows what it prints."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]


def shown_text(notebook: nbformat.NotebookNode) -> list[str]:
    """Return the text and tables of each cell of code."""
    return [
        "".join(
            output.text if output.output_type == "stream" else output.data.get("text/markdown", "")
            for output in cell.outputs
        )
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the kernel's client warns about its own transport
def test_the_tour_prints_what_it_shows():
    notebook = nbformat.read(ROOT / "docs" / "tour.ipynb", as_version=4)
    shown = shown_text(notebook)
    folder = {"metadata": {"path": str(ROOT)}}
    NotebookClient(notebook, timeout=500, kernel_name="python3", resources=folder).execute()
    assert shown_text(notebook) == shown
    assert sum("image/png" in str(cell.get("outputs")) for cell in notebook.cells) == 2
