"""Write the report's page, and the tables next to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import jinja2
from markupsafe import Markup

from analysis.figures.drawn import Images
from analysis.glossary import hint, with_margin
from analysis.notes import finished, mixtures
from analysis.report.commands import next_commands
from analysis.report.contents import Contents, slug
from analysis.report.grids import Grid, circumstances, runs_grid, table_grid, verdict_grid
from analysis.report.inline import variables
from analysis.report.pictures import Picture, pictures
from analysis.report.rows import row_parts
from analysis.report.summary import study_summary, summary
from analysis.report.titles import titled
from analysis.subject import Subject
from analysis.tables.cells import notes
from analysis.tables.latex import document
from analysis.tables.render import render
from analysis.tables.verdict_table import render_verdicts
from analysis.verdicts.answer import Answer, Asked, answers
from roadmap.errors import visible
from roadmap.files import put_text
from steps.studies.load import shipped


@dataclass(frozen=True, kw_only=True)
class StudyPart:
    """The part of the page for one study: its figures and its verdicts."""

    anchor: str
    title: str
    answers: Sequence[Answer]
    summary: Sequence[str]
    pictures: Sequence[Picture]
    grid: Grid


def write_report(contents: Contents, folder: Path) -> list[Path]:
    """Write report.html, which needs no other file, and its tables for papers and READMEs."""
    folder.mkdir(parents=True, exist_ok=True)
    cache = Images.read(folder)
    texts = {"report.html": page(contents, cache)}
    cache.write(folder)
    judged = {"verdicts": contents.subject.judged}
    judged |= {f"verdicts-{slug(other.study.name)}": other.judged for other in contents.studies}
    for format, ending in (("md", "md"), ("latex", "tex")):
        texts[f"table.{ending}"] = render(contents.subject.table, format)
        for name, verdicts in judged.items():
            texts[f"{name}.{ending}"] = render_verdicts(verdicts, format)
    texts["tables.tex"] = document(*[f"\\input{{{name}}}" for name in ("table", *judged)])
    paths = []
    for name, text in texts.items():
        paths.append(folder / name)
        put_text(paths[-1], text.rstrip("\n") + "\n")
    return paths


def page(contents: Contents, cache: Images | None = None) -> str:
    """Return the page as text, without control characters; `cache` holds figures drawn before."""
    subject = contents.subject
    cache = cache or Images()
    figures = pictures(subject, cache)
    studies: list[StudyPart] = []
    for other in contents.studies:
        number = 1 + len(figures) + sum(len(study.pictures) for study in studies)
        studies.append(_study_part(contents, other, number, cache))
    paper = subject.paper.base.paper if subject.paper is not None else None
    roadmaps = [subject.roadmap, *(other.roadmap for other in contents.studies)]
    mixed = mixtures(finished(subject.selection.runs))  # commits, versions: provenance
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    text = environment.from_string(_file("page.html")).render(
        pictures=figures,
        rows=list(row_parts(contents, cache)),
        title=subject.table.title,
        about=_about(contents),
        style=_style(),
        script=Markup(_file("page.js")),
        sections=[
            ("summary", "Summary"),
            ("more", "More figures"),
            ("worth", "What each step is worth"),
            *((study.anchor, f"Study: {study.title}") for study in studies),
            ("rows", "Row by row"),
            ("glossary", "Glossary"),
            ("provenance", "Where the numbers come from"),
        ],
        summary=summary(contents),
        answers=_answers(contents, subject, ""),
        has_runs=contents.has_runs,
        hint=hint,
        glossary=with_margin(subject.judged),
        broken=contents.broken,
        commands=next_commands(contents),
        table=table_grid(
            subject.table, [note for note in notes(subject.table) if note not in mixed]
        ),
        verdicts=_titled(
            verdict_grid(subject.judged, "verdicts", contents.links, without=mixed), subject
        ),
        studies=studies,
        runs=runs_grid(contents.runs, subject.measure, roadmaps),
        made=circumstances(contents.runs),
        mixed=mixed,
        paper=paper.paper if paper is not None else "",
    )
    return "\n".join(map(visible, text.split("\n")))


def _about(contents: Contents) -> str:
    table = contents.subject.table
    data = f"On {table.data}" + (f": {table.sizes}" if table.sizes else "") if table.data else ""
    count = len(contents.runs)
    runs = f"{count} run{'s' * (count > 1)}" if count else "no runs yet"
    parts = [data, runs, table.recipe]
    return ". ".join(f"{part[0].upper()}{part[1:]}" for part in parts if part) + "."


def _answers(contents: Contents, subject: Subject, study: str | None) -> tuple[Answer, ...]:
    """Return the answer to a study; without a finished run there is none."""
    if not any(verdict.n for verdict in subject.judged.verdicts):
        return ()
    asked = Asked(study=study, given=contents.given, can_run=contents.goes_on)
    return answers(subject.judged, subject.study, subject.selection, asked)


def _study_part(contents: Contents, other: Subject, number: int, cache: Images) -> StudyPart:
    name = slug(other.study.name)
    known = other.study.name in shipped()
    return StudyPart(
        anchor=f"study-{name}",
        title=other.study.roadmap.title.removesuffix(f": {other.study.base.title}"),
        answers=_answers(contents, other, other.study.name if known else None),
        summary=study_summary(other.judged),
        pictures=pictures(other, cache, ("effects",), first=number),
        grid=_titled(
            verdict_grid(
                other.judged,
                f"verdicts-{name}",
                contents.links,
                without=mixtures(finished(other.selection.runs)),
            ),
            other,
        ),
    )


def _titled(grid: Grid, subject: Subject) -> Grid:
    """Return a table whose notes have the titles of steps."""
    return replace(grid, notes=tuple(titled(note, subject.study.base) for note in grid.notes))


def _style() -> Markup:
    light, dark = variables()
    return Markup(_file("page.css").replace("LIGHT", light).replace("DARK", dark))


def _file(name: str) -> str:
    return (resources.files("analysis.report") / name).read_text(encoding="utf-8")
