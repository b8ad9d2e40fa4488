"""Dark paper and the widths of a paper, for every figure there is."""

import dataclasses
import itertools
import re
from pathlib import Path

import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import analysis.figures
from analysis.colours import COLOURS, DARK_PAPER, ON_DARK_PAPER, PAPER
from analysis.figures.gallery import FIGURES, NEED_NO_RUNS, Kind, drawings
from analysis.figures.sheet import style
from analysis.figures.sheet.style import WIDTHS, Drawing, applied, save
from analysis.figures.sheet.themes import darken
from analysis.subject import Subject
from roadmap.errors import Problem
from steps.studies.load import load_study


@pytest.fixture(scope="module")
def subject(tiny, invented):
    """Invented runs, and of two rows a history."""
    path = load_study("path", roadmap="tiny")
    return Subject(roadmap=tiny, study=path, records=invented.study(tiny), row="09")


def luminance(colour):
    parts = [
        each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4
        for each in to_rgb(colour)
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("group", COLOURS)
def test_every_groups_colour_is_seen_on_dark_paper(group):
    colour = COLOURS[group].upper()
    assert contrast(ON_DARK_PAPER.get(colour, colour), DARK_PAPER) > 3


@pytest.mark.slow
@pytest.mark.parametrize("figure", FIGURES)
def test_no_light_colour_is_left_on_dark_paper(figure, subject, tmp_path, monkeypatch):
    for other in ("pdf", "png"):  # only the SVG is read
        monkeypatch.delitem(style._METADATA, other)
    for drawing in drawings(figure, subject):
        save(drawing, tmp_path, theme="dark")
        text = (tmp_path / f"{drawing.name}.svg").read_text().upper()
        left = [colour for colour in ON_DARK_PAPER if f": {colour}" in text]
        assert not left, (drawing.name, left)
        assert DARK_PAPER in text


@pytest.mark.slow
@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_has_the_widths_that_it_says(figure, subject):
    for drawing, width in itertools.product(drawings(figure, subject), WIDTHS):
        assert drawing.draw(width=width).get_figwidth() == WIDTHS[width]


@pytest.mark.parametrize("figure", sorted(set(FIGURES) - NEED_NO_RUNS))
def test_every_caption_says_n_data_and_recipe(figure, subject):
    for drawing in drawings(figure, subject):
        assert re.search(r"n = \d|n = [0-9k, :-]+", drawing.caption), drawing.name
        assert "fractals" in drawing.caption or "ImageNet-1K" in drawing.caption, drawing.name
        assert "Recipe: " in drawing.caption, drawing.name


def test_colours_that_are_not_the_papers_stay_and_so_does_transparency():
    with applied():
        figure = Figure()
        axes = figure.add_subplot()
        (line,) = axes.plot([0, 1], color="#44AA99")
        patch = axes.axvspan(0, 1, color="#222222", alpha=0.25)
        darken(figure)
    assert to_rgb(line.get_color()) == to_rgb("#44AA99")
    assert patch.get_facecolor() == (*to_rgb(ON_DARK_PAPER["#222222"]), 0.25)
    assert to_rgb(figure.get_facecolor()) == to_rgb(DARK_PAPER)
    assert axes.yaxis.get_majorticklabels()[0].get_color() != "#222222"
    assert PAPER not in ON_DARK_PAPER.values()


def test_a_width_or_theme_that_is_none_is_named_with_the_choices(tmp_path):
    drawing = Drawing(name="one", summary="", draw=lambda width: Figure())
    with pytest.raises(Problem, match="three-column.*one-column"):
        save(drawing, tmp_path, width="three-column")
    with pytest.raises(Problem, match="sepia.*light"):
        save(drawing, tmp_path, theme="sepia")
    assert not list(tmp_path.iterdir())


def test_a_figure_is_one_file_and_one_line(subject, monkeypatch, tmp_path):
    """Added here as a file elsewhere would: it is drawn, named, and stamped like the others."""

    def draw(subject):
        return [Drawing(name="one", summary=subject.measure.words, draw=lambda width: Figure())]

    one = Kind(name="one", needs="runs", draw=draw)
    monkeypatch.setitem(FIGURES, "one", one)
    (drawing,) = drawings("one", subject)
    assert drawing.source == f"{subject.specs}, {subject.runs}"
    assert [path.name for path in save(drawing, tmp_path)][-1] == "one.txt"
    monkeypatch.setitem(FIGURES, "one", dataclasses.replace(one, of_runs=False))
    assert drawings("one", subject)[0].source == subject.specs


@pytest.mark.parametrize("path", sorted(Path(analysis.figures.__path__[0]).rglob("*.py")), ids=str)
def test_figures_neither_load_nor_select_nor_name_a_measure(path):
    text = path.read_text()
    assert not re.search(r"load_roadmap|load_study|read_records|\bselect\(", text)
    if path.name != "paper.py":
        assert not re.search(r"top1\b|top-1 (?!of|, %)", text.replace("`top-1", ""))
