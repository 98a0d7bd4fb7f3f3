"""Reports rendered once for all tests that look at them."""

import shutil
import sys
from pathlib import Path

import pytest

# Tests are imported by path (--import-mode=importlib), so their helpers must be made findable.
sys.path.insert(0, str(Path(__file__).parent))

import results_factory


@pytest.fixture(scope="session")
def write_results():
    return results_factory.write_results


@pytest.fixture(scope="session")
def hostile_names():
    return results_factory.HOSTILE


@pytest.fixture(scope="session")
def hostile_report(tmp_path_factory):
    """Seven units with hostile names, three waves, failed checks."""
    from relcap_models.report.render import render_report

    folder = tmp_path_factory.mktemp("hostile")
    (folder / "public" / "figures").mkdir(parents=True)
    (folder / "public" / "figures" / "network_map_9-old.png").write_bytes(b"of an earlier rendering")
    return render_report(
        results_factory.write_results(folder, n_units=7, n_waves=3, hostile=True, failing=True)
    )


@pytest.fixture
def link_material(tmp_path):
    """Material of a study with an invented leadership link; options as in `link_factory`."""
    from link_factory import write_link_results

    from relcap_models.language import load_texts
    from relcap_models.report.material import Material
    from relcap_models.report.results import read_results

    def material(**options):
        results = read_results(write_link_results(tmp_path, **options))
        return Material(results, load_texts(results.context["report"]["language"]))

    return material


@pytest.fixture(scope="session")
def true_threats():
    """Checks of a simulated programme that does nothing, in the half of 16 districts that stood lowest."""
    from relcap_models.estimands.programme_effect import programme_design_table, programme_threat_table
    from relcap_models.models import ProgrammeEffect
    from relcap_models.report.disclosure.programmes import hide_programmes
    from relcap_models.report.disclosure.rules import Disclosure
    from tests.recovery.programme_grid import Cell, survey_of

    survey = survey_of(Cell("selection", 16, 0.0), 1)
    model = ProgrammeEffect(id="training", programme="P", assignment="observational", chosen="lowest")
    tables = {
        "programme_designs": programme_design_table(model, model.exposed(survey)),
        "programme_threats": programme_threat_table(model, survey, ci_prob=0.9, seed=1),
    }
    return hide_programmes("programme_threats", tables, Disclosure(), some_small=False)


@pytest.fixture
def programme_material(tmp_path):
    """Material of a study with an invented programme; options as in `programme_factory`."""
    from programme_factory import write_programme_results

    from relcap_models.language import load_texts
    from relcap_models.report.material import Material
    from relcap_models.report.results import read_results

    def material(**options):
        results = read_results(write_programme_results(tmp_path, **options))
        return Material(results, load_texts(results.context["report"]["language"]))

    return material


@pytest.fixture(scope="session")
def browser():
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium here: install the package `chromium` to run the browser tests")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        yield opened
        opened.close()


_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def open_report(browser):
    """Open a report; `page.noise` gathers console messages, `page.requests` every address asked for."""
    contexts = []

    def open_page(report, *, width=1280, scheme="light", javascript=True):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=javascript
        )
        page = context.new_page()
        page.noise, page.requests = [], []
        page.on("console", lambda message: page.noise.append(message.text))
        page.on("pageerror", lambda error: page.noise.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(report.as_uri(), wait_until="load")
        contexts.append(context)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def programme_report(tmp_path_factory, true_threats):
    """The report of a programme, with everything that its section can hold."""
    from programme_factory import METHODS, write_programme_results

    from relcap_models.report.render import render_report

    folder = tmp_path_factory.mktemp("programme")
    methods = {**dict.fromkeys(METHODS, 1.05), "two_way": 0.4}
    return render_report(
        write_programme_results(folder, methods=methods, forbidden=0.3, threats=true_threats, chosen=True)
    )
