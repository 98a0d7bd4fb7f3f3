"""The section of a programme in a real browser, on a desk and on a phone."""

import pytest

pytestmark = pytest.mark.browser

SECTION = "#programme-effect-1"
# Nobody drops out of these data, so there is no tipping point.
FIGURES = ("course", "exposure", "comparisons", "threats", "trends", "shift", "selection")


def open_all(page):
    """Unfold every table of the section."""
    page.eval_on_selector_all(f"{SECTION} details", "nodes => nodes.forEach(node => node.open = true)")


@pytest.fixture
def section(open_report, programme_report):
    def opened(**how):
        page = open_report(programme_report, **how)
        open_all(page)
        return page

    return opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_figure_is_there_whole_and_large_enough(section, width, scheme):
    page = section(width=width, scheme=scheme)
    shown = page.locator(f"{SECTION} figure img:visible")
    assert shown.count() == len(FIGURES)
    for image in shown.all():
        image.scroll_into_view_if_needed()
        natural, box = image.evaluate("i => i.naturalWidth"), image.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["height"] > 80
        # Drawn for this width: neither blown up nor shrunk until nothing can be read.
        assert 0.8 < box["width"] / (natural / 2) < 1.25 or natural > 600 > width
    assert page.noise == []


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_no_page_scrolls_sideways_with_all_tables_unfolded(section, width):
    page = section(width=width)
    assert page.locator(f"{SECTION} table:visible").count() > 8
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [1280, 390])
def test_what_the_checks_came_to_can_be_read_without_scrolling_its_table(section, width):
    """Sentences are text: they wrap, and stand whole beside or below the threat."""
    page = section(width=width)
    table = page.locator(f"{SECTION} table", has_text="Regression to the mean:").first
    assert table.evaluate("node => node.parentElement.scrollHeight <= node.parentElement.clientHeight + 1")
    cells = table.locator("tbody td")
    assert cells.count() >= 18
    for cell in cells.all():
        box = cell.bounding_box()
        assert box["x"] + box["width"] <= width
        assert box["width"] > 100


@pytest.mark.parametrize("width", [1280, 390])
def test_numbers_of_the_design_stand_on_one_line(section, width):
    page = section(width=width)
    values = page.locator(f"{SECTION} .definitions dd")
    numbers = [value for value in values.all() if value.inner_text().strip().isdigit()]
    assert len(numbers) >= 2
    lines = """node => {
        const range = document.createRange()
        range.selectNodeContents(node)
        return range.getClientRects().length
    }"""
    assert [value.evaluate(lines) for value in numbers] == [1] * len(numbers)
