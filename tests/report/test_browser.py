"""The report in a real browser: it opens silently, asks for nothing, and fits a phone."""

from functools import partial
from itertools import pairwise

import pytest

pytestmark = pytest.mark.browser


@pytest.fixture
def visit(open_report, hostile_report):
    """Open the report, see `open_report`."""
    return partial(open_report, hostile_report)


def test_opens_without_a_word_and_asks_for_nothing_outside(visit, hostile_report):
    page = visit()
    assert page.noise == []
    assert page.requests[0] == hostile_report.as_uri()
    assert all(url.startswith("data:") for url in page.requests[1:])


def test_hostile_names_do_not_run(visit):
    page = visit()
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src='x']").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_figure_has_size(visit, scheme):
    page = visit(scheme=scheme)
    sizes = page.eval_on_selector_all(
        "figure img", "images => images.map(i => [i.naturalWidth, i.getBoundingClientRect().height])"
    )
    assert len(sizes) > 8
    assert all(width > 300 and height > 40 for width, height in sizes)


@pytest.mark.parametrize("javascript", [True, False])
def test_a_phone_scrolls_no_page_sideways(visit, javascript):
    page = visit(width=360, javascript=javascript)
    for summary in page.locator("summary").all():
        if not summary.evaluate("node => node.parentElement.open"):
            summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_phone_shows_interval_figures_whole(visit):
    page = visit(width=390)
    figures = page.locator("figure.phone img")
    assert figures.count() > 4
    assert all(box["x"] + box["width"] <= 390 for box in (image.bounding_box() for image in figures.all()))
    # Not shrunk until nothing can be read: narrower than the wide figure from the start.
    assert page.eval_on_selector_all("figure.phone img", "images => images.every(i => i.naturalWidth < 600)")


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_captions_of_wide_tables_lie_within_their_frames(visit, width):
    page = visit(width=width)
    page.evaluate("document.querySelectorAll('details').forEach(node => node.open = true)")
    tables = page.eval_on_selector_all(
        ".scroll.table",
        """frames => frames.map(frame => {
            const edge = frame.getBoundingClientRect().right;
            const words = [...frame.querySelectorAll("caption span")];
            const ends = words.map(span => span.getBoundingClientRect().right);
            return {moves: frame.scrollWidth > frame.clientWidth, left: edge - Math.max(...ends)};
        })""",
    )
    assert all(table["left"] >= 10 for table in tables)
    assert len(tables) > 5
    if width < 400:
        assert any(table["moves"] for table in tables), "no table is wide enough to tell anything"


def test_dark_paper_is_dark(visit):
    colours = [
        visit(scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    brightness = [sum(int(part) for part in colour.strip("rgb()").split(",")) for colour in colours]
    assert brightness[0] > 600
    assert brightness[1] < 120


def test_failed_checks_are_visible_above_the_summary(visit):
    page = visit(width=390)
    failed = page.locator("#failed-checks").bounding_box()
    assert failed["height"] > 100
    assert failed["y"] < page.locator("#summary").bounding_box()["y"]
    assert page.locator("main > section").first.get_attribute("id") == "failed-checks"


def test_a_table_sorts_by_a_column_with_blanks_last(visit):
    page = visit()
    page.locator("#relations-1 summary").click()
    header = page.locator("#relations-1 thead th").nth(2)
    values = "rows => rows.map(r => r.cells[2].dataset.sort).map(Number)"
    for direction, ordered in (("ascending", sorted), ("descending", lambda v: sorted(v, reverse=True))):
        header.locator("button").click()
        found = page.eval_on_selector_all("#relations-1 tbody tr", values)
        known = [value for value in found if value == value]
        assert known == ordered(known)
        assert all(value != value for value in found[len(known) :])
        assert header.get_attribute("aria-sort") == direction


def test_headings_descend_without_gaps_and_sections_are_named(visit):
    page = visit()
    levels = page.eval_on_selector_all("h1, h2, h3", "nodes => nodes.map(n => Number(n.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    broken = page.eval_on_selector_all(
        "nav a", "links => links.filter(a => !document.querySelector(a.hash)).map(a => a.hash)"
    )
    assert broken == []


def test_it_prints(visit, tmp_path):
    path = tmp_path / "report.pdf"
    visit(scheme="dark").pdf(path=path, format="A4", print_background=True)
    content = path.read_bytes()
    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page") > 4
