"""The report's page put together, and the tables beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import jinja2
from markupsafe import Markup

from analysis.figures.bars import PAPER
from analysis.figures.gallery import drawings, nothing_to_show
from analysis.figures.sheet.style import Drawing
from analysis.report.contents import Contents
from analysis.report.grids import Grid, circumstances, runs_grid, table_grid, verdict_grid
from analysis.report.inline import inline, variables
from analysis.report.rows import row_parts
from analysis.report.summary import next_commands, summary
from analysis.subject import Subject
from analysis.tables.cells import notes
from analysis.tables.latex import document
from analysis.tables.render import render
from analysis.tables.verdict_table import render_verdicts
from roadmap.files import put_text


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure on the page, and the same for a narrow screen where there is one."""

    name: str
    title: str
    svg: str
    caption: str
    narrow: str = ""
    narrow_caption: str = ""


@dataclass(frozen=True, kw_only=True)
class StudyPart:
    """A study's share of the page: its figures and its verdicts."""

    anchor: str
    title: str
    pictures: tuple[Picture, ...]
    grid: Grid


# The figures of a page in their order; of a study its effects alone.
LARGER = 1.4  # on a screen than on paper
SHOWN = ("roadmap", "effects", "trade-off", "curves", "receptive-field", "cost", "block")


def write_report(contents: Contents, folder: Path) -> list[Path]:
    """Write report.html, which needs nothing beside it, and its tables for papers and READMEs."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"report.html": page(contents)}
    judged = {"verdicts": contents.subject.judged}
    judged |= {f"verdicts-{_slug(each.study.name)}": each.judged for each in contents.studies}
    for format, ending in (("md", "md"), ("latex", "tex")):
        texts[f"table.{ending}"] = render(contents.subject.table, format)
        for name, each in judged.items():
            texts[f"{name}.{ending}"] = render_verdicts(each, format)
    texts["tables.tex"] = document(*[f"\\input{{{name}}}" for name in ("table", *judged)])
    paths = []
    for name, text in texts.items():
        paths.append(folder / name)
        put_text(paths[-1], text.rstrip("\n") + "\n")
    return paths


def page(contents: Contents) -> str:
    """The page as text."""
    table, judged = contents.subject.table, contents.subject.judged
    studies = [_study_part(contents, each) for each in contents.studies]
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(_file("page.html")).render(
        pictures=[*_pictures(contents.subject, SHOWN)],
        rows=list(row_parts(contents)),
        title=table.title,
        about=_about(contents),
        style=_style(),
        script=Markup(_file("page.js")),
        sections=[
            ("summary", "Summary"),
            ("figures", "Figures"),
            ("accuracy", "Accuracy and cost"),
            ("worth", "What each step is worth"),
            *((each.anchor, f"Study: {each.title}") for each in studies),
            ("rows", "Row by row"),
            ("provenance", "Where the numbers come from"),
        ],
        summary=summary(contents),
        broken=contents.broken,
        commands=next_commands(contents),
        table=table_grid(table, notes(table)),
        verdicts=verdict_grid(judged, "verdicts", contents.links),
        studies=studies,
        runs=runs_grid(contents.runs),
        made=circumstances(contents.runs),
        paper=PAPER if contents.subject.roadmap.paper else "",
    )


def _about(contents: Contents) -> str:
    table = contents.subject.table
    parts = [
        f"On {table.data}" + (f": {table.sizes}" if table.sizes else "") if table.data else "",
        f"{len(contents.runs)} runs" if contents.runs else "no runs yet",
        table.recipe,
    ]
    return ". ".join(f"{part[0].upper()}{part[1:]}" for part in parts if part) + "."


def _study_part(contents: Contents, other: Subject) -> StudyPart:
    name = _slug(other.study.name)
    return StudyPart(
        anchor=f"study-{name}",
        title=other.study.name.replace("-", " "),
        pictures=tuple(_pictures(other, ("effects",))),
        grid=verdict_grid(other.judged, f"verdicts-{name}", contents.links),
    )


def _pictures(subject: Subject, names: Sequence[str]) -> Iterator[Picture]:
    """Figures; where ours stand beside others, a narrow screen has ours, without runs the paper's.

    What would show nothing is left out.
    """
    some, empty = any(row.n for row in subject.table.rows), nothing_to_show(subject)
    for name in names:
        found = [each for each in drawings(name, subject) if not each.name.startswith("block-")]
        if name in empty:
            found = [each for each in found if each.name.startswith("paper-")]
        beside = [each for each in found if "-beside-" in each.name]
        own = [each for each in found if each not in beside]
        if beside:
            yield _picture(beside[0], own[0] if some or len(own) < 2 else own[1])
        else:
            yield from map(_picture, found)


def _picture(drawing: Drawing, narrow: Drawing | None = None) -> Picture:
    narrow = narrow or drawing
    title = f"{drawing.name.replace('-', ' ')}: {narrow.caption.partition(':')[0]}"
    wide, slim = drawing.draw(width="two-column"), ""
    if "one-column" in narrow.widths:
        slim = inline(narrow.draw(width="one-column"), f"{drawing.name}-narrow", title)
    return Picture(
        name=f"figure-{drawing.name}",
        title=title,
        svg=inline(wide, drawing.name, title, most=LARGER),
        caption=drawing.caption,
        narrow=slim,
        narrow_caption=narrow.caption if narrow is not drawing else "",
    )


def _slug(name: str) -> str:
    """A study's name as TeX and links can take it."""
    return re.sub(r"[^A-Za-z0-9-]+", "-", name)


def _style() -> Markup:
    light, dark = variables()
    return Markup(_file("page.css").replace("LIGHT", light).replace("DARK", dark))


def _file(name: str) -> str:
    return (resources.files("analysis.report") / name).read_text(encoding="utf-8")
