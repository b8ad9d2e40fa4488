"""One table in every format."""

import csv
import dataclasses
import io
import json
import re
import subprocess
import sys

import pytest

from analysis.tables.cells import rate, signed
from analysis.tables.render import FORMATS, render
from analysis.tables.table import Table, tabulate
from analysis.tables.terminal import terminal
from roadmap.errors import Problem


@pytest.fixture(scope="module")
def table(tiny, invented) -> Table:
    """A missing row, a diverged one, one with both, a reference with a long name, notes."""
    runs = invented.study(tiny, without=("08-k9", "12"))
    runs += [invented.record(tiny, number, 9, 2.5, status="diverged") for number in ("05", "12")]
    runs += [invented.reference(tiny, "swin_tiny_patch4_window7_224")]
    return tabulate(tiny, [*runs, invented.record(tiny.overridden({"recipe.epochs": 3}), "03")])


def test_unknown_format(table):
    with pytest.raises(Problem, match="unknown format 'markdown'.*terminal, md, csv, latex, json"):
        render(table, "markdown")


def test_json_has_plain_keys_and_nulls(table):
    rows = json.loads(render(table, "json"))
    assert len(rows) == 18 and rows[5]["row"] == "05"
    assert (rows[5]["top1"], rows[5]["std"], rows[5]["diverged"]) == (58.3, 1.6, 1)
    missing = next(row for row in rows if row["row"] == "08-k9")
    assert missing["top1"] is None and missing["n"] == 0 and missing["branch"] is True


def test_csv_is_empty_where_missing(table):
    rows = list(csv.DictReader(io.StringIO(render(table, "csv"))))
    assert rows[5]["top1"] == "58.3" and rows[5]["n"] == "3"
    assert rows[3]["title"] == '"patchify" stem'
    assert rows[10]["row"] == "08-k9" and rows[10]["top1"] == rows[10]["std"] == ""


def test_markdown(table):
    lines = render(table, "md").splitlines()
    assert len({line.replace("\\|", "").count("|") for line in lines[:20]}) == 1
    assert lines[2] == "| 00 | ResNet | 78.9 ± 0.8 (3) | – | 76.13 | 0.0088 | 4.09 | 0.89 |"
    assert any(line.startswith("| 12 | BN → LN | diverged (1) | – |") for line in lines)
    assert any(line.startswith("| 08-k9 | kernel size 9 | – | – |") for line in lines)
    assert "- † diverged, not averaged: 05 (1), 12 (1)" in lines


@pytest.mark.parametrize("colour", [False, True])
def test_terminal_fits_80_columns(table, colour):
    text = terminal(table, colour=colour)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert (text != plain) is colour
    assert max(map(len, plain.splitlines())) <= 80
    assert "05 increase width †         58.3 ± 1.6 (3)   +6.7 80.50" in plain
    assert "timm:swin_tiny_patch4_" in plain and "window7_224" in plain
    assert "inverted bottleneck" in plain


def test_terminal_with_two_decimals_keeps_each_row_on_one_line(resnet50, invented):
    runs = [
        invented.record(resnet50, row.number, seed, 80 + 0.1 * seed, data="imagenet")
        for row in resnet50
        for seed in range(3)
    ]
    lines = terminal(tabulate(resnet50, runs), colour=False).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("80.10 ± 0.10 (3)" in line for line in lines) == 17
    assert len(lines) == 1 + 3 + 17 + 7 + 3 + 2  # title, head, rows, groups, precision, legend


def test_latex_is_ascii_and_escaped(table):
    text = render(table, "latex")
    assert text.isascii()
    assert r"ReLU $\rightarrow$ GELU" in text and "``patchify'' stem" in text
    assert r"78.9 $\pm$ 0.8 (3)" in text and r"timm:swin\_tiny\_patch4" in text
    assert r"increase width $\dagger$" in text and "$-$7.7" in text
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if r"\\" in line]
    assert len(rows) == 18 and {len(re.findall(r"(?<!\\)&", line)) for line in rows} == {7}
    for kind in ("table", "tabular"):
        assert text.count(rf"\begin{{{kind}}}") == text.count(rf"\end{{{kind}}}") == 1
    assert not re.search(r"(?<!\\)[#_]", text.replace(r"\usepackage", ""))
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    assert r"\cmidrule(lr){3-5} \cmidrule(lr){6-7}" in text and r"\cmidrule(lr){1" not in text


def test_without_the_papers_table_its_columns_go(tiny, table):
    bare = tabulate(dataclasses.replace(tiny, paper=None), [])
    for format in ("md", "latex", "terminal"):
        assert "paper" in render(table, format) and "paper" not in render(bare, format)
    assert "paper_top1" in render(bare, "csv").splitlines()[0]


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_table_and_one_without_records(tiny, format):
    render(Table(rows=()), format)
    assert not render(tabulate(tiny, []), format).endswith("\n")


def test_numbers():
    assert signed(86.47 - 78.82, 1) == signed(7.65, 1) == signed(7.650000000001, 1) == "+7.6"
    assert [signed(x, 1) for x in (0.54, -1.23, -0.01, None)] == ["+0.5", "−1.2", "0.0", "–"]
    assert [rate(x) for x in (940.4, 9999.4, 9999.6, 12_345, None)] == [
        "940", "9999", "10k", "12k", "–",
    ]  # fmt: skip


@pytest.mark.slow
def test_analysis_never_imports_torch():
    code = (
        "import pkgutil, importlib, sys, analysis\n"
        "for module in pkgutil.iter_modules(analysis.__path__):\n"
        "    importlib.import_module('analysis.' + module.name)\n"
        "print([name for name in sys.modules if name in ('torch', 'timm', 'pytorch_lightning')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
