"""Every figure in both widths: nothing is cut, nothing leaves the sheet, no panel is empty."""

import dataclasses

import pytest
from matplotlib.text import Text

from analysis.figures.gallery import FIGURES, drawings
from analysis.figures.sheet.style import WIDTHS
from analysis.subject import Subject
from steps.studies.load import load_study


@pytest.fixture(scope="module")
def subject(tiny, invented):
    runs = [
        dataclasses.replace(
            run,
            history=[
                {"epoch": float(epoch), "top1": run.top1 - 4 + epoch, "loss": 2 - 0.1 * epoch}
                for epoch in range(5)
            ],
        )
        for run in invented.study(tiny)
    ]
    return Subject(roadmap=tiny, study=load_study("path"), records=runs)


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [name for name in FIGURES if name != "receptive-field"])
def test_shipped_titles_are_whole_and_inside_the_sheet(subject, name, width):
    drawn = drawings(name, subject)
    blocks = [one for one in drawn if one.name.startswith("block-")]
    assert drawn
    for drawing in [one for one in drawn if one not in blocks[2:]]:
        figure = drawing.draw(width=width)
        assert figure.get_figwidth() == WIDTHS[width]
        figure.draw_without_rendering()
        sheet = figure.bbox
        for text in figure.findobj(Text):
            assert "…" not in text.get_text(), (drawing.name, text.get_text())
        written = [text for axes in figure.axes for text in axes.texts]  # ticks may lie outside
        for text in (*figure.texts, *written):
            shown = text.get_text()
            if shown.strip():
                box = text.get_window_extent()
                assert box.x0 >= sheet.x0 - 1 and box.x1 <= sheet.x1 + 6, (drawing.name, shown)
        for axes in figure.axes:
            assert axes.has_data() or axes.texts or axes.images, drawing.name
