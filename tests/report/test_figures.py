"""Figures draw any name, keep the caller's matplotlib, and stay readable for 60 units."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from relcap_models.language import load_texts
from relcap_models.report.assembly import sections_of
from relcap_models.report.blocks import Picture
from relcap_models.report.figures.names import drawable, unit_labels
from relcap_models.report.figures.network_map import circle_positions
from relcap_models.report.figures.theme import DARK, LIGHT, dark_text_on, png, screen_size
from relcap_models.report.material import Material
from relcap_models.report.results import read_results


def test_importing_the_report_loads_no_matplotlib():
    code = "import sys, relcap_models.report; print('matplotlib' in sys.modules, 'arviz' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]


def test_names_lose_only_what_the_font_cannot_draw():
    assert drawable("Familie 👩‍👧‍👦 æøå $x_", 40) == "Familie æøå $x_"
    assert drawable("👩‍👧‍👦", 40) == "□"
    assert drawable("line\nbreak\tand\u200bzero", 40) == "line break and zero"


def test_long_names_are_cut_in_the_middle():
    assert drawable("abcdefghij", 10) == "abcdefghij"
    assert drawable("abcdefghijk", 10) == "abcde…hijk"


def test_units_whose_cut_names_look_alike_have_their_id_behind():
    long = "Socialrådgiverne i {}, Børn og Unge"
    names = {
        "u1": long.format("Nord"),
        "u2": long.format("Vest"),
        "u3": long.format("midten og syd, Familie"),
    }
    labels = unit_labels(names, 20)
    assert len(set(labels.values())) == 3
    assert labels["u1"] == "Socialr…og Unge (u1)"
    assert all(len(label) <= 20 for label in labels.values())
    assert unit_labels({"a": "Team 👩", "b": "Team 👨"}, 20) == {"a": "Team (a)", "b": "Team (b)"}


def test_districts_stand_apart_on_the_circle():
    places = circle_positions({"north": ["a", "b"], "south": ["c", "d"]})
    assert np.allclose([np.hypot(*place) for place in places.values()], 1)
    within = np.hypot(*(places["a"] - places["b"]))
    assert np.hypot(*(places["b"] - places["c"])) > 1.5 * within


def test_text_on_a_colour_takes_the_side_with_more_contrast():
    assert dark_text_on(np.array([[1.0, 1.0, 0.2], [0.1, 0.0, 0.3]])).tolist() == [True, False]


@pytest.fixture(scope="module")
def large_pictures(tmp_path_factory, write_results):
    folder = write_results(tmp_path_factory.mktemp("large"), n_units=60, n_waves=1, climate=False)
    results = read_results(folder)
    sections = sections_of(Material(results, load_texts("en")))
    return {b.name: b for section in sections for b in section.blocks if isinstance(b, Picture)}


@pytest.mark.parametrize("name", ["relation_matrix_1-relations", "network_districts_1-relations"])
def test_sixty_units_fit_the_text_column(large_pictures, name):
    width, height = screen_size(png(large_pictures[name].draw, LIGHT))
    assert 700 < width < 1000
    assert height < 1400


def test_interval_figures_fit_a_phone_with_every_row_as_tall_as_its_label(large_pictures):
    phone = replace(LIGHT, narrow=True)
    pictures = {name: picture for name, picture in large_pictures.items() if picture.narrow}
    kinds = {name.partition("_1-")[0] for name in pictures}
    assert kinds == {"unit_scores", "relation_scores", "perception_gaps", "variance_shares"}
    width, height = screen_size(png(pictures["unit_scores_1-relations"].draw, phone))
    assert width <= 325
    assert height > 3 * 60 * 30


def test_light_and_dark_paper_differ_and_keep_their_exact_colour(large_pictures):
    import io

    import matplotlib
    from PIL import Image

    before = dict(matplotlib.rcParams)
    corners = {}
    for theme in (LIGHT, DARK):
        with Image.open(io.BytesIO(png(large_pictures["d_study_1-relations"].draw, theme))) as image:
            corners[theme.paper] = "#{:02x}{:02x}{:02x}".format(*image.convert("RGB").getpixel((0, 0)))
    assert all(paper == corner for paper, corner in corners.items())
    assert dict(matplotlib.rcParams) == before
