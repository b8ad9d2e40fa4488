"""The report: what it says of runs, of none and of broken ones; and in a real browser."""

import dataclasses
import re
import shlex
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from analysis.measures import MEASURES
from analysis.report.commands import next_commands
from analysis.report.contents import gather
from analysis.report.grids import verdict_grid
from analysis.report.inline import inline
from analysis.report.page import page, write_report
from analysis.report.summary import study_summary, summary
from analysis.report.titles import run_title, titled
from analysis.subject import Subject
from analysis.verdicts.study import judge_study
from roadmap.cli.main import main
from roadmap.errors import Problem
from roadmap.record import read_records
from steps.roadmaps.load import load_roadmap
from steps.studies.load import load_study

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


def contents(tiny, records, **given):
    return gather(subject(tiny, records), [load_study("leave-one-out")], **given)


def subject(roadmap, records, **given):
    return Subject(roadmap=roadmap, study=load_study("path"), records=records, **given)


@pytest.fixture(scope="session")
def with_runs(tiny, invented):
    """All rows with three seeds, one of them diverged; a study with one run; a broken file."""
    records = invented.study(tiny)
    records[-1] = dataclasses.replace(records[-1], status="diverged", top1=None, loss=None)
    study = load_study("leave-one-out", roadmap="tiny")
    number = "without-gelu"
    without = invented.record(study.roadmap, number, top1=96.0)
    return contents(
        tiny,
        [*records, without],
        broken=("runs/a/record.json: not readable <b>at all</b>",),
        given=("--data", "my images"),
    )


@pytest.fixture(scope="session")
def written(with_runs, tmp_path_factory):
    """The page as a file."""
    folder = tmp_path_factory.mktemp("report")
    write_report(with_runs, folder)
    return folder / "report.html"


def test_the_summary_says_where_the_path_leads_and_what_is_decided(with_runs):
    words = " ".join(summary(with_runs))
    assert "From row 00, ResNet, to row 13, separate downsampling" in words
    assert "78.9 ± 0.8 % (3 runs) to 94.9 ± 0.1 % (2 runs): +16.0 points" in words
    assert re.search(r"\d+ of 16 questions are decided\.", words)
    (other,) = with_runs.studies
    words = study_summary(other.judged)[0]  # row 13 has a diverged run: no verdict
    assert words.startswith("In this study, 0 of 2 questions")


def test_it_says_what_to_run_next_with_the_same_data(with_runs):
    commands = dict(next_commands(with_runs))
    assert "roadmap run path --until-decided --data 'my images'" in commands


@pytest.mark.slow
def test_without_runs_it_shows_the_papers_numbers_the_costs_and_what_to_run(tiny):
    empty = contents(tiny, [])
    text = page(empty)
    assert "There are no finished runs of this roadmap" in text
    assert "76.13" in text and "0.0088" in text and "roadmap run<" in text.replace(" ", " ")
    assert "figure-cost-by-stage" in text and "figure-blocks" in text and "No runs yet." in text


def test_intervals_over_seeds_and_over_images_are_columns():
    """Of the committed runs, which record the images that they had right."""
    records = read_records(Path(__file__).parents[3] / "results" / "tiny").records
    judged = judge_study(load_study("path"), records)
    grid = verdict_grid(judged, "verdicts", {})
    place = grid.headings.index("over seeds")
    assert [row[place].value for row in grid.rows] == [one.seeds_low for one in judged.verdicts]
    assert grid.headings[place + 1] == "over images"


def test_names_of_files_are_replaced_by_titles(tiny):
    note = "depthwise: cannot be left out: step 'move_up_depthwise' needs a depthwise convolution"
    assert titled(note, tiny) == (
        "depthwise conv: cannot be left out: step 'move up depthwise conv' needs a depthwise "
        "convolution"
    )
    assert run_title("05-width", [tiny]) == "05 increase width"
    assert run_title("timm-swin", [tiny]) == "timm-swin"


def test_commands_keep_words_with_spaces_and_signs_of_the_shell(tiny):
    given = ("--roadmap", "my roadmap.yaml", "--runs", "a --data b; $(rm x)")
    commands = [command for command, _ in next_commands(contents(tiny, [], given=given))]
    assert commands
    for command in commands:
        assert shlex.split(command)[-4:] == list(given)


def test_a_roadmap_without_data_asks_for_them_whatever_a_path_contains(resnet50):
    path = load_study("path", roadmap="resnet50")
    for given, asks in ((("--runs", "a --data b"), True), (("--data", "photos"), False)):
        empty = gather(
            Subject(roadmap=dataclasses.replace(resnet50, data=None), study=path, records=()),
            [],
            given=given,
        )
        assert all(command.endswith("--data DATA") is asks for command, _ in next_commands(empty))


def test_one_seed_is_asked_for_more_and_missing_rows_are_named(tiny, invented):
    some = contents(tiny, invented.study(tiny, seeds=1, without=("12", "13")))
    assert "Rows without a finished run: 12, 13." in summary(some)
    commands = [command for command, _ in next_commands(some)]
    assert commands[:2] == ["roadmap run --rows 12,13", "roadmap run path --seeds 3"]


@pytest.mark.slow
def test_broken_records_are_named_and_nothing_of_theirs_becomes_markup(with_runs, written):
    text = written.read_text()
    assert "not readable &lt;b&gt;at all&lt;/b&gt;" in text and "<b>at all" not in text


class Anchors(HTMLParser):
    """Ids, links within the page, and anything that would be fetched."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.fetched = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if "id" in given:
            self.ids.append(given["id"])
        for key in ("href", "xlink:href", "src"):
            target = given.get(key, "#")
            (self.links if target.startswith("#") else self.fetched).append(target)


@pytest.mark.slow
def test_every_link_leads_somewhere_ids_are_unique_and_nothing_is_fetched(written):
    found = Anchors(written.read_text())
    assert len(set(found.ids)) == len(found.ids)
    assert {link[1:] for link in found.links} - {""} <= set(found.ids)
    assert {each.partition(",")[0] for each in found.fetched} <= {"data:", "data:image/png;base64"}
    assert {f"row-{number}" for number in ("00", "08-k5", "13")} <= set(found.ids)
    assert written.stat().st_size < 5e6


def test_figures_keep_their_numbers_and_follow_the_pages_colours():
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 1))
    figure.text(0.1, 0.5, "0.0088", color="#222222")
    text = inline(figure, "one", 'a "title"')
    assert ">0.0088<" in text and "fill: var(--c222222)" in text
    assert 'aria-label="a &#34;title&#34;"' in text or 'aria-label="a &quot;title&quot;"' in text
    assert "#222222" not in text


@pytest.mark.slow
def test_another_measure_fills_the_page_and_nothing_says_top_1(tiny, invented):
    runs = [dataclasses.replace(run, loss=2.0 - run.top1 / 100) for run in invented.study(tiny)]
    found = gather(subject(tiny, runs, measure=MEASURES["loss"]), [])
    words = " ".join(summary(found))
    assert "loss on fractals changes from 1.211 ± 0.008 (3 runs) to 1.050" in words
    text = page(found)
    assert "top-1" not in text and "figure-roadmap" in text and "Liu et al." not in text


def test_names_of_users_become_neither_markup_nor_control_characters(tmp_path, invented):
    evil = '<script>x</script>\x1b[2J\x00\u202e" onload=y'
    text = evil.encode("unicode_escape").decode().replace('"', '\\"')
    lines = f'title: "{text}"\nbase: {{roadmap: tiny, row: "05"}}\nrows:\n  - gelu:\n'
    (tmp_path / "evil.yaml").write_text(lines)
    path = load_study("path", roadmap=str(tmp_path / "evil.yaml"))
    runs = [invented.record(path.base, row.number, data=evil) for row in path.base]
    subject = Subject(roadmap=path.base, study=path, records=runs)
    text = page(gather(subject, [], broken=(evil,)))
    assert "<script>x" not in text and "&lt;script&gt;x" in text
    assert not {"\x1b", "\x00", "\u202e"} & set(text)
    assert not re.search(r"\sonload=y", re.sub(r'"[^"]*"|>[^<]*<', "", text))


@pytest.mark.slow
def test_tables_for_papers_stand_beside_the_page(written):
    names = {path.name for path in written.parent.iterdir()}
    assert names == {
        "report.html", "table.md", "table.tex", "verdicts.md", "verdicts.tex",
        "verdicts-leave-one-out.md", "verdicts-leave-one-out.tex", "tables.tex", ".figures.json",
    }  # fmt: skip
    together = (written.parent / "tables.tex").read_text()
    assert r"\usepackage{booktabs}" in together and r"\end{document}" in together
    assert r"\input{table}" in together and r"\input{verdicts-leave-one-out}" in together


@pytest.fixture(scope="session")
def browser():
    """A real Chromium, where there is one."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium here; .ci/run installs it")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser, written):
    """The page in a window, and what it complained of or asked for."""
    window = browser.new_page(viewport={"width": 1200, "height": 900}, color_scheme="light")
    said = []
    window.on("console", lambda message: said.append(message.text))
    window.on("pageerror", lambda error: said.append(str(error)))
    window.on("request", lambda request: said.append(request.url))
    window.goto(written.as_uri())
    yield window, said
    window.close()


@pytest.mark.slow
def test_it_opens_from_disk_without_complaints_or_requests(opened, written):
    window, said = opened
    assert said == [written.as_uri()]
    assert "tiny ResNet" in window.title()


def column(window, table, place):
    return window.locator(f"#{table} tbody tr td:nth-child({place})").all_inner_texts()


@pytest.mark.slow
def test_tables_sort_by_number_by_mouse_and_keyboard_and_back(opened):
    window, _ = opened
    first = column(window, "table", 3)
    heading = window.locator("#table thead th:nth-child(3)")
    heading.locator("button").click()
    rising = [float(text.split()[0]) for text in column(window, "table", 3)]
    assert rising == sorted(rising) and heading.get_attribute("aria-sort") == "ascending"
    heading.locator("button").press("Enter")
    falling = [float(text.split()[0]) for text in column(window, "table", 3)]
    assert falling == rising[::-1] and heading.get_attribute("aria-sort") == "descending"
    heading.locator("button").press("Enter")
    assert column(window, "table", 3) == first and heading.get_attribute("aria-sort") is None
    change = window.locator("#table thead th:nth-child(4) button")
    change.click()
    assert column(window, "table", 4)[-1] == "–"  # missing ones last, rising
    change.click()
    assert column(window, "table", 4)[-1] == "–"  # and falling


@pytest.mark.slow
def test_tables_filter_by_words_in_any_column(opened):
    window, _ = opened
    window.fill("#table-filter", "SIZE k9")
    shown = window.locator("#table tbody tr:visible td:nth-child(1)").all_inner_texts()
    assert shown == ["08-k9"] and window.inner_text("#table output") == "1 of 17 rows"
    window.fill("#table-filter", "")
    assert window.locator("#table tbody tr:visible").count() == 17


def paper_of(window):
    return window.evaluate("getComputedStyle(document.body).backgroundColor")


@pytest.mark.slow
def test_the_theme_switches_figures_too_and_follows_the_system(opened, browser, written):
    window, _ = opened
    shape = "document.querySelector('#summary svg text').getAttribute('style')"
    ink = "getComputedStyle(document.querySelector('#summary svg text')).fill"
    assert "var(--c222222)" in window.evaluate(shape)
    light = paper_of(window), window.evaluate(ink)
    window.click("#theme")
    dark = paper_of(window), window.evaluate(ink)
    assert light == ("rgb(255, 255, 255)", "rgb(34, 34, 34)")
    assert dark == ("rgb(22, 24, 28)", "rgb(230, 230, 230)")
    assert window.get_attribute("#theme", "aria-pressed") == "true"
    other = browser.new_page(color_scheme="dark")
    other.goto(written.as_uri())
    assert paper_of(other) == dark[0] and other.inner_text("#theme") == "Light"
    other.close()


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 500, 768, 800, 1050, 1400, 1600])
def test_nothing_is_wider_than_the_window_and_no_table_is_clipped(opened, width):
    window, _ = opened
    window.set_viewport_size({"width": width, "height": 800})
    unfold(window)
    assert window.evaluate("document.documentElement.scrollWidth") <= width
    clipped = """[...document.querySelectorAll('.scroll:has(table)')]
        .filter((region) => region.scrollWidth > region.clientWidth + 1).length"""
    assert window.evaluate(clipped) == 0


@pytest.mark.slow
def test_terms_are_explained_on_hover_and_in_a_glossary(opened):
    window, _ = opened
    said = window.get_attribute("#verdicts thead th:has-text('MDE')", "title")
    assert said.startswith("Minimum detectable effect")
    window.click("nav a[href='#glossary']")
    window.wait_for_function("document.querySelector('#glossary dl').checkVisibility()")
    assert said in window.inner_text("#glossary")
    assert "Here: 1 point" in window.inner_text("#glossary")


@pytest.mark.slow
def test_commits_are_only_in_the_provenance(tiny, invented, tmp_path):
    runs = invented.study(tiny)
    made = dataclasses.replace(runs[0].provenance, commit="deadbeef0123")
    runs[0] = dataclasses.replace(runs[0], provenance=made)
    before, _, after = page(contents(tiny, runs)).partition('id="provenance"')
    assert "deadbeef0123" not in before and "deadbeef0123" in after


def unfold(window):
    window.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true })")


@pytest.mark.slow
def test_the_first_screen_has_the_answer_and_the_rest_is_folded(opened):
    window, _ = opened
    assert window.locator("figure:visible").count() == 1
    assert window.locator("table:visible").count() == 1
    height = window.evaluate("document.documentElement.scrollHeight")
    assert height < 3500 and len(window.inner_text("body").split()) < 1500
    answer, figure, table = (
        window.locator(place).first.bounding_box()
        for place in (".answers", "#summary figure", "#table")
    )
    assert answer["y"] < 400 and figure["y"] < 400 < table["y"]  # side by side on a wide screen
    assert window.locator("article#row-09 .facts").is_hidden()
    window.click("#table a[href='#row-09']")
    window.wait_for_function("document.querySelector('#row-09 .facts').checkVisibility()")


@pytest.mark.slow
def test_figures_are_numbered_and_their_details_are_folded(written):
    text = written.read_text()
    numbers = [int(number) for number in re.findall(r"<b>Figure (\d+)\.</b>", text)]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 6


@pytest.mark.slow
def test_it_prints_light_and_without_controls(opened):
    window, _ = opened
    window.click("#theme")
    window.emulate_media(media="print")
    assert paper_of(window) == "rgb(255, 255, 255)"
    assert not window.is_visible("nav") and not window.is_visible("#theme")
    assert len(window.pdf(format="A4")) > 50_000


@pytest.mark.slow
def test_runs_of_studies_with_the_same_names_are_all_there(tiny, invented, tmp_path):
    """A study whose end is called as the path's last row, with runs of its own."""
    (tmp_path / "short.yaml").write_text(
        "design: leave_one_out\nroadmap: tiny\nset: {recipe.epochs: 3}\n"
    )
    short = load_study(tmp_path / "short.yaml")
    runs = [
        *invented.study(tiny),
        *(invented.record(short.roadmap, row.number, top1=40.0) for row in short.roadmap),
    ]
    found = gather(subject(tiny, runs), [short])
    assert len(found.runs) == len(runs) == 51 + len(short.roadmap.rows)
    text = page(found)
    (row,) = re.findall(r'id="runs-13">Runs: (.*?)\. ', text)
    assert re.findall(r">(seed \d [\d.]+ %)<", row) == [
        "seed 0 94.8 %",
        "seed 1 95.0 %",
        "seed 2 95.2 %",
    ]
    links = Anchors(text)
    assert {link[1:] for link in links.links} - {""} <= set(links.ids)
    with pytest.raises(Problem, match="two studies are called 'short'"):
        gather(subject(tiny, runs), [short, short])


@pytest.mark.slow
def test_references_alone_are_no_path_and_their_links_lead_somewhere(tiny, invented):
    found = contents(tiny, [invented.reference(tiny)])
    assert not found.has_runs and "no finished runs" in summary(found)[0]
    links = Anchors(page(found))
    assert {link[1:] for link in links.links} - {""} <= set(links.ids)


def test_a_roadmap_of_one_row_and_titles_with_dollars(tmp_path, invented):
    (tmp_path / "one.yaml").write_text(
        'title: "costs $5 of $9_x"\nbase: {roadmap: tiny, row: "05"}\nrows: []\n'
    )
    roadmap = load_roadmap(tmp_path / "one.yaml")
    path = load_study("path", roadmap=str(tmp_path / "one.yaml"))
    alone = Subject(roadmap=roadmap, study=path, records=[invented.record(roadmap, "00")])
    text = page(gather(alone, []))
    assert ">costs $5 of $9_x" in text and "figure-effects" not in text
    assert "From row 00" not in text


def test_why_there_are_no_finished_runs_is_said(tiny, invented):
    diverged = [
        dataclasses.replace(each, status="diverged", top1=None)
        for each in invented.study(tiny, seeds=1)
    ]
    found = contents(tiny, diverged)
    assert any("Runs that diverged, by row: 00 (1), 01 (1)" in each for each in summary(found))
    assert not [command for command, _ in next_commands(found) if "run --rows" in command]
    longer = tiny.overridden({"recipe.epochs": 7})
    left_out = contents(tiny, [invented.record(longer, "05")])
    assert any(each.startswith("Left out: 1 record") for each in summary(left_out))


@pytest.mark.slow
def test_an_interaction_is_not_called_better(tiny, invented):
    grid = load_study("micro-design")
    tops = {row.number: 60.0 + 10.0 * row.number.count("+") ** 2 for row in grid.roadmap}
    runs = [
        invented.record(grid.roadmap, number, seed, top1 + seed / 10)
        for number, top1 in tops.items()
        for seed in range(3)
    ]
    text = page(gather(Subject(roadmap=grid.roadmap, study=grid, records=runs), []))
    assert "Worth more together (in points): " in text and "Better (in points): gelu ×" not in text


@pytest.mark.slow
def test_what_is_printed_from_a_dark_page_is_dark_on_white(opened):
    window, _ = opened
    window.click("#theme")
    window.emulate_media(media="print", color_scheme="dark")
    for place in ("h4", ".diff .new", ".warning", "figcaption"):
        colour = window.evaluate(f"getComputedStyle(document.querySelector('{place}')).color")
        assert max(map(int, re.findall(r"\d+", colour)[:3])) < 150, (place, colour)
    soft = window.evaluate("getComputedStyle(document.querySelector('.warning')).backgroundColor")
    assert min(map(int, re.findall(r"\d+", soft)[:3])) > 230


@pytest.mark.slow
def test_a_minus_as_it_is_typed_is_found(opened):
    window, _ = opened
    change = column(window, "table", 4)[1]
    assert change.startswith("−")
    window.fill("#table-filter", change.replace("−", "-"))
    assert window.locator("#table tbody tr:visible").count() >= 1


@pytest.mark.slow
def test_only_what_scrolls_is_a_stop_of_the_keyboard(opened):
    """A diff in a row is long, and scrolls when the row is unfolded."""
    window, _ = opened
    stops = "document.querySelectorAll('[tabindex=\"0\"]').length"
    assert window.evaluate(stops) == 0
    window.set_viewport_size({"width": 260, "height": 800})
    unfold(window)
    window.wait_for_function(f"{stops} > 0")
    window.set_viewport_size({"width": 1600, "height": 800})
    window.wait_for_function(f"{stops} == 0")


def test_a_roadmap_of_the_users_own_has_a_report(tmp_path, monkeypatch, capsys):
    """Shipped studies that ask for rows it does not have are left out."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(
        'title: mine\nbase: {roadmap: tiny, row: "05"}\nrows:\n  - gelu:\n'
    )
    assert main(["report", "--roadmap", "mine.yaml", "--out", "told"]) == 0
    assert "roadmap run --roadmap mine.yaml" in (tmp_path / "told" / "report.html").read_text()
    assert main(["report", "orders", "nosuch", "--out", "other"]) == 2
    assert "unknown study 'nosuch'" in capsys.readouterr().err
    assert main(["plot", "cost", "--row", "05", "--out", "other"]) == 2
    assert "roadmap plot block --row ROW" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_collected_records_are_not_sent_to_be_trained_again(tiny, invented):
    assert next_commands(contents(tiny, invented.study(tiny), goes_on=False)) == []
