"""Text of files and records never acts as markup, and never starts a line."""

import dataclasses
import re

import pytest

from analysis import escape
from analysis.tables.costs import cost_rows, cost_table
from analysis.tables.explanation import explain
from analysis.tables.latex import latex
from analysis.tables.render import render
from analysis.tables.table import tabulate
from analysis.tables.verdict_table import render_verdicts
from analysis.verdicts.study import judge_study
from roadmap.errors import visible
from steps.studies.load import load_study

NASTY = "a\x1b[31m\n\n| <img src=x> [l](u) `c` $x$ \\end{x} \u202e"


def test_control_characters_are_shown_on_one_line():
    assert visible("a\x1b[31m\r\nb\u2028c\u202ed\x9b\udc80é→") == (
        "a\\x1b[31m  b c\\u202ed\\x9b\\udc80é→"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("<b>x</b> < 3, p <.001", r"\<b>x\</b> < 3, p <.001"),
        ("snake_case _it_ *b*", r"snake_case \_it\_ \*b\*"),
        ("[x](y) `c` $m$ ~~s~~ &lt; a & b", r"\[x\](y) \`c\` \$m\$ \~\~s\~\~ \&lt; a & b"),
        (r"C:\x \* \_", r"C:\x \\\* \\\_"),
        ("# h", r"\# h"),
        ("1. x", r"1\. x"),
        ("- x", r"\- x"),
        ("+6.7", "+6.7"),
        ("a\n# b", "a # b"),
    ],
)
def test_markdown(text, shown):
    assert escape.markdown(text) == shown


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("50 % & $x_1$ #{}", r"50 \% \& \$x\_1\$ \#\{\}"),
        ("\\x~^", r"\textbackslash{}x\textasciitilde{}\textasciicircum{}"),
        ("＄＼｛", r"\$\textbackslash{}\{"),  # wide signs, which decompose into special ones
        ('"é" → 漢', r"``e'' $\rightarrow$ ?"),
        ("a\n\nb", "a  b"),
    ],
)
def test_latex(text, printed):
    assert escape.latex(text) == printed


@pytest.fixture(scope="module")
def attacked(tiny, invented):
    """A roadmap whose titles and data set are an attack, with runs."""
    rows = tuple(dataclasses.replace(row, title=NASTY, before=None) for row in tiny.rows)
    roadmap = dataclasses.replace(tiny, title=NASTY, rows=rows, data=NASTY)
    return roadmap, [invented.record(roadmap, "05", data=NASTY)]


def test_tables_of_titles_that_are_an_attack(attacked):
    roadmap, records = attacked
    table = tabulate(roadmap, records)
    for format in ("terminal", "md", "latex"):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", render(table, format)), format
    lines = render(table, "md").partition("\n\n")[0].splitlines()  # notes follow the table
    assert len(lines) == 2 + len(table.rows)
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    text = latex(table)
    assert r"\end{x}" not in text and "\n\n" not in text
    assert "\x1b" not in cost_table(cost_rows(roadmap), roadmap) + explain(roadmap, roadmap["05"])


def test_verdicts_of_titles_that_are_an_attack(attacked):
    _, records = attacked
    study = load_study("path", roadmap="tiny")
    judged = dataclasses.replace(judge_study(study, records), title=NASTY, data=NASTY, name="a_b}")
    for format in ("terminal", "md", "latex"):
        text = render_verdicts(judged, format)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text), format
    assert r"\label{tab:verdicts-a-b-}" in text
