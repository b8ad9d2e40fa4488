"""Receptive fields: what is averaged, what the squares hold, and both figures read back."""

from dataclasses import replace

import numpy
import pytest

from analysis.figures.receptive_field import draw_fields, field_drawings
from analysis.figures.receptive_field_sides import draw_sides
from analysis.figures.receptive_fields import Field, fields, lacking
from analysis.selection import select
from analysis.subject import Subject
from roadmap.receptive_field import ReceptiveField
from steps.studies.load import load_study


def subject(tiny, runs):
    return Subject(roadmap=tiny, study=load_study("path"), records=runs)


def box(side, cells=64):
    """A field that is equal within a square around the middle and 0 around it."""
    found = numpy.zeros((cells, cells))
    edge = (cells - side) // 2
    found[edge : cells - edge, edge : cells - edge] = 1
    return found


def seeing(run, shares, pixels=4):
    return replace(run, receptive_field=ReceptiveField.of(shares.tolist(), pixels))


@pytest.fixture
def runs(tiny, invented):
    """Two runs of row 07 that see 8 and 16 cells, one of row 08 that sees 32; row 00 sees none."""
    seven = [invented.record(tiny, "07", seed=seed) for seed in range(2)]
    return [invented.record(tiny, "00"), seeing(seven[0], box(8)), seeing(seven[1], box(16)),
            seeing(invented.record(tiny, "08"), box(32))]  # fmt: skip


@pytest.mark.parametrize("cells", [64, 63])
def test_the_square_that_holds_a_share(cells):
    side = 20 if cells == 64 else 21
    field = Field(runs=box(side, cells)[None] / side**2, pixels=4)
    assert field.square(1.0) == pytest.approx(4 * side)
    for share in (0.5, 0.9):
        assert field.square(share) == pytest.approx(4 * side * share**0.5, rel=0.01)


def test_a_square_is_around_the_middle_not_around_the_field():
    shares = numpy.zeros((8, 8))
    shares[0, 0] = shares[3, 3] = 0.5
    field = Field(runs=shares[None], pixels=1)
    assert field.square(0.5) == 2 and field.square(0.9) > 6


def test_runs_of_a_row_are_averaged_and_diverged_ones_are_not(tiny, runs):
    wide = seeing(replace(runs[1], identity=replace(runs[1].identity, seed=2)), box(64))
    found = fields(select(tiny, [*runs, replace(wide, status="diverged", top1=None)]))
    assert list(found) == ["07", "08"] and found["07"].n == 2
    assert found["07"].shares == pytest.approx(box(8) / 128 + box(16) / 512)
    assert found["07"].square(1.0) == 64
    each = [4 * side * 0.5**0.5 for side in (8, 16)]
    assert found["07"].squares(0.5) == pytest.approx(each, rel=0.03)


def test_fields_of_another_scale_are_not_averaged_and_the_note_says_so(tiny, runs):
    coarse = seeing(runs[1], box(8, 32), pixels=8)
    chosen = select(tiny, [runs[0], coarse, *runs[2:]])
    assert fields(chosen)["07"].n == 1
    (note,) = lacking(chosen, fields(chosen))
    assert note == "left out: 2 runs have no receptive field that fits on record (00, 07)"


def test_every_row_with_a_field_has_a_picture_of_it(tiny, runs):
    seven, eight, bar = draw_fields(tiny, fields(select(tiny, runs))).axes
    assert seven.get_title("left") == "07 move up\ndepthwise conv"
    assert eight.get_title("left").startswith("08 kernel size 7")
    (one,), (other,) = seven.images, eight.images
    numpy.testing.assert_allclose(one.get_array(), (box(8) / 128 + box(16) / 512) / 16, rtol=1e-3)
    assert one.get_clim() == other.get_clim() == pytest.approx((5 / 512 / 16e3, 5 / 512 / 16))
    assert one.get_extent() == [-128, 128, 128, -128]
    (square,), (text,) = eight.patches, eight.texts
    assert square.get_width() == pytest.approx(128 * 0.5**0.5, rel=0.01)
    assert tuple(square.get_center()) == (0, 0)
    assert text.get_text() == f"half in {square.get_width():.0f} px"
    assert seven.get_xlim() == eight.get_xlim() and "per pixel" in bar.get_title()


def test_fields_of_another_size_are_drawn_on_the_same_scale(tiny, runs):
    large = seeing(runs[3], box(32), pixels=7)
    seven, eight, _ = draw_fields(tiny, fields(select(tiny, [*runs[:3], large]))).axes
    assert seven.get_xlim() == eight.get_xlim() == (-224, 224)
    assert seven.images[0].get_extent() == [-128, 128, 128, -128]


def test_dots_and_numbers_are_the_sides_of_the_squares(tiny, runs):
    chosen = select(tiny, runs)
    (axes,) = draw_sides(tiny, fields(chosen)).axes
    found = fields(chosen)
    expected = [found[row].square(share) for row in ("07", "08") for share in (0.5, 0.9)]
    dots = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert dots == pytest.approx(expected)
    strokes = [list(line.get_xdata()) for line in axes.lines if line.get_marker() == "|"]
    assert [len(each) for each in strokes] == [2, 2, 0, 0]
    assert strokes[0] == found["07"].squares(0.5)
    texts = [text.get_text() for text in axes.texts]
    assert all(f"{each:.0f}" in texts for each in expected)
    assert texts.count(" –") == len(list(tiny)) - 2


def test_captions_say_n_data_recipe_and_which_rows_are_missing(tiny, runs):
    drawings = field_drawings(subject(tiny, runs))
    assert [each.name for each in drawings] == ["receptive-field", "receptive-field-sides"]
    for caption in (each.caption for each in drawings):
        assert "on fractals (40 classes, 10,000 training images" in caption
        assert "n = 07: 2, 08: 1." in caption
        assert "rows 01–13: AdamW, learning rate 0.002, 5 epochs (780 steps), batch" in caption
        assert "16 validation images" in caption and "Luo et al. 2016" in caption
        assert "Left out: 1 run has no receptive field that fits on record (00)." in caption


def test_without_any_field_there_is_no_figure(tiny, runs):
    assert field_drawings(subject(tiny, runs[:1])) == field_drawings(subject(tiny, [])) == []
