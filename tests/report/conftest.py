"""Reports rendered once for all tests that look at them."""

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
