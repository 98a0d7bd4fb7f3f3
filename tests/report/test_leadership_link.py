"""The section on a leadership link says what its tables hold, and no more."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from link_factory import regressions
from section_reader import lead_of, link_blocks, pictures_of, read_again, tables_of, words_of

from relcap_models.report.assembly import sections_of
from relcap_models.report.blocks import Bullets, Heading, Picture, Table
from relcap_models.report.figures.theme import DARK, LIGHT, png, screen_size
from relcap_models.report.render import is_approximate
from relcap_models.report.sections.summary import summary_section

ALL = ("naive", "corrected", "joint")


def row_of(material, **wanted):
    about = {"scale": "points", "method": "joint", "predictor": "relational_leadership", "level": "between"}
    about |= {"source": "different", "adjusted": True} | wanted
    table = material.results.tables["leadership_link"]
    (found,) = table[(table[list(about)] == pd.Series(about)).all(axis=1)].to_dict("records")
    return found


@pytest.mark.parametrize(
    ("effect", "said", "points"),
    [
        (
            0.2,
            "are also rated higher by other units: one standard deviation more goes with 0.20 points",
            "more",
        ),
        (-0.2, "are rated lower by other units: one standard deviation more goes with 0.20 points", "less"),
        (0.03, "are also rated higher by other units stays open: one standard deviation", "+0.03 points"),
    ],
)
def test_the_answer_comes_first_and_follows_the_direction_of_the_interval(
    link_material, effect, said, points
):
    material = link_material(effect=effect)
    blocks, row = link_blocks(material), row_of(material)
    assert lead_of(blocks) == blocks[0].text
    assert said in blocks[0].text
    assert points in blocks[0].text
    interval = material.texts.interval(row["lower"], row["upper"])
    assert f"interval {interval}" in blocks[0].text or f"difference {interval}" in blocks[0].text


@pytest.mark.parametrize(
    ("effect", "word", "side"),
    [
        (0.3, "almost certain", "more than"),
        (0.1, "about as likely as not", "more than"),
        (-0.2, "very likely", "lower"),
    ],
)
def test_the_probability_of_an_effect_that_matters_is_told_in_words_on_the_side_of_the_estimate(
    link_material, effect, word, side
):
    material = link_material(effect=effect)
    row = row_of(material)
    large = row["prob_smallest"] if effect > 0 else 1 - row["prob_smallest"] - row["prob_rope"]
    text = link_blocks(material)[1].text
    assert f"It is {word} ({material.texts.p(large)}) that" in text
    assert side in text
    assert f"({material.texts.p(row['prob_rope'])}) that" in text


@pytest.mark.parametrize("language", ["en", "da", "nb"])
def test_nothing_is_called_significant_or_a_cause(link_material, language):
    words = words_of(link_blocks(link_material(language=language, methods=ALL, n_waves=3))).lower()
    assert not re.search(r"signifi[ck]", words)
    claims = {"en": r"\b(causes|leads to|affects)\b", "da": r"\bforårsager\b", "nb": r"\bforårsaker\b"}
    denied = {"en": "is not “causes”", "da": "er ikke »forårsager«", "nb": "er ikke «forårsaker»"}
    assert len(re.findall(claims[language], words)) == words.count(denied[language]) == 1


def test_the_answer_is_the_joint_adjusted_estimate_of_different_people_whatever_stands_beside_it(
    link_material,
):
    alone = lead_of(link_blocks(link_material()))
    beside = link_material(methods=ALL)
    assert lead_of(link_blocks(beside)) == alone
    other = row_of(beside, adjusted=False)
    assert beside.texts.signed(other["mean"]) != beside.texts.signed(row_of(beside)["mean"])
    assert f"without that {beside.texts.signed(other['mean'])}" in words_of(link_blocks(beside))


def test_attenuation_and_common_method_bias_are_told_in_points(link_material):
    material = link_material(methods=ALL)
    words = words_of(link_blocks(material))
    naive, same = row_of(material, method="naive"), row_of(material, source="same", adjusted=False)
    assert f"Plain unit means would have given {material.texts.signed(naive['mean'])} (" in words
    assert f"Where the same people rate both, it is {material.texts.signed(same['mean'])} (" in words


def test_one_source_alone_is_called_so(link_material):
    blocks = link_blocks(link_material(sources=("same",)))
    assert "The same people answered both." in lead_of(blocks)
    words = words_of(blocks)
    assert "Nobody rates both" not in words
    assert "Adjusted for" not in words


def test_without_ratings_of_the_own_unit_the_second_source_is_said_to_be_missing(link_material):
    material = link_material(sources=("different",))
    words = words_of(link_blocks(material))
    assert material.texts("links.explained.no_same") in words
    assert "Same people" not in words


@pytest.mark.parametrize(("options", "said"), [({"n_units": 9}, True), ({"n_units": 10}, False)])
def test_fewer_than_ten_units_are_called_few_even_where_their_number_is_hidden(link_material, options, said):
    for few_to_count in (False, True):
        blocks = link_blocks(link_material(**options, few_to_count=few_to_count))
        assert ("So few hardly show how units differ" in words_of(blocks[:4])) == said


@pytest.mark.parametrize(("share", "width"), [(0.64, "80%"), (0.81, "90%")])
def test_where_the_prior_is_most_of_the_interval_it_is_said_beside_the_answer(link_material, share, width):
    text = words_of(link_blocks(link_material(prior_share=share))[:4])
    assert f"only to {width} of the width" in text
    assert f"{round(100 * share)}% is the prior’s" in text


def test_a_small_share_of_the_prior_is_told_among_the_methods_only(link_material):
    blocks = link_blocks(link_material(prior_share=0.04))
    assert "the prior" not in words_of(blocks[:4])
    assert "to 20% of the width" in blocks[-1].text


def test_missing_methods_are_said_to_be_missing_and_leave_no_rows(link_material):
    blocks = link_blocks(link_material())
    assert "Only the joint model was estimated" in words_of(blocks)
    table = next(b for b in blocks if isinstance(b, Table))
    assert [row[0].text for row in table.rows] == ["Joint model"]


def test_the_estimates_stand_side_by_side_from_plain_to_joint(link_material):
    material = link_material(methods=("joint", "naive", "corrected"))
    blocks = link_blocks(material)
    assert "Only the joint model was estimated" not in words_of(blocks)
    table = next(b for b in blocks if isinstance(b, Table))
    assert [row[0].text for row in table.rows] == ["Plain unit means", "Corrected for error", "Joint model"]
    assert [c.label for c in table.columns[1:]] == [
        "Different people, adjusted",
        "Different people, not adjusted",
        "Same people",
    ]
    for row, method in zip(table.rows, ALL, strict=True):
        for cell, (source, adjusted) in zip(
            row[1:], [("different", True), ("different", False), ("same", False)], strict=True
        ):
            mean = row_of(material, method=method, source=source, adjusted=adjusted)["mean"]
            assert cell.sort == pytest.approx(mean)
            assert cell.text.startswith(material.texts.signed(mean))


def test_a_method_without_a_figure_gets_a_dash_and_a_cross(link_material, tmp_path):
    link_material(methods=ALL)
    path = tmp_path / "public" / "tables" / "leadership_link.csv"
    table = pd.read_csv(path)
    blank = table["method"] == "corrected"
    table.loc[blank, ["mean", "sd", "lower", "upper", "prob_positive", "per_point"]] = np.nan
    table["adjusted"] = table["adjusted"].map({True: "true", False: "false"})
    table.to_csv(path, index=False)
    material = read_again(tmp_path)
    blocks = link_blocks(material)
    rows = {row[0].text: row for row in next(b for b in blocks if isinstance(b, Table)).rows}
    assert {cell.text for cell in rows["Corrected for error"][1:]} == {"–"}
    figure = pictures_of(blocks)["leadership_link_between"].draw(LIGHT)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert material.texts("links.not_estimated") in legend


def test_levels_stand_apart_in_tables_and_figures(link_material):
    material = link_material()
    blocks = link_blocks(material)
    tables = [b for b in blocks if isinstance(b, Table) and b.source == "tables/leadership_link.csv"]
    by_level = {
        level: [t for t in tables if phrase in t.caption]
        for level, phrase in (("between", "between units"), ("within", "within units"))
    }
    assert sum(map(len, by_level.values())) == len(tables) == 4
    for level, found in by_level.items():
        assert found[0].rows[-1][1].sort == pytest.approx(row_of(material, level=level)["mean"])
    assert {"leadership_link_between", "leadership_link_within"} <= set(pictures_of(blocks))


def test_one_wave_has_a_sentence_in_place_of_changes(link_material):
    material = link_material(n_waves=1)
    blocks = link_blocks(material)
    assert material.texts("links.one_wave") in words_of(blocks)
    assert "leadership_link_within" not in pictures_of(blocks)
    assert "In waves in which" not in words_of(blocks)
    assert material.texts("links.lagged.title") not in words_of(blocks)


def test_lagged_effects_are_told_as_description_from_three_waves_on(link_material):
    blocks = link_blocks(link_material(n_waves=3))
    place = next(
        n for n, b in enumerate(blocks) if isinstance(b, Heading) and b.text == "From one wave to the next"
    )
    assert "it tells no cause" in blocks[place + 1].text
    before = {row[1].text for row in blocks[place + 2].rows}
    assert before == {"How the unit rates others", "Relational leadership", "Relational capacity"}


def test_suppressed_units_are_not_drawn_and_are_counted(link_material):
    material = link_material(n_units=12, hidden=2)
    picture = pictures_of(link_blocks(material))["leadership_units"]
    assert "2 units are not drawn" in picture.caption
    (axes,) = picture.draw(LIGHT).axes
    (points,) = [c.get_offsets() for c in axes.collections if len(c.get_offsets()) > 1]
    units = material.results.tables["leadership_units"]
    shown = units[(units["predictor"] == "relational_leadership") & ~units["suppressed"]]
    assert np.allclose(np.asarray(points), shown[["predictor_mean", "outcome_mean"]])


def test_hidden_units_stand_last_in_the_table(link_material):
    (table,) = tables_of(link_blocks(link_material(n_units=12, hidden=5)), "leadership_units")
    dashes = [row[-1].text == "–" for row in table.rows]
    assert dashes == sorted(dashes)
    assert set(dashes) == {False, True}


def test_no_hidden_unit_leaves_no_sentence_about_one(link_material):
    picture = pictures_of(link_blocks(link_material(hidden=0)))["leadership_units"]
    assert "not drawn" not in picture.caption


@pytest.mark.parametrize(("shown", "drawn"), [(0, False), (7, False), (8, True)])
def test_fewer_than_eight_units_get_a_sentence_in_place_of_the_figure(link_material, shown, drawn):
    blocks = link_blocks(link_material(n_units=12, hidden=12 - shown))
    assert ("fewer than 8 may be shown" in words_of(blocks)) != drawn
    assert bool(tables_of(blocks, "leadership_units")) == (shown > 0)
    assert ("leadership_units" in pictures_of(blocks)) == drawn
    assert ("it has 3 leaders or more" in words_of(blocks)) != drawn
    assert any("Joint model" in row[0].text for b in blocks if isinstance(b, Table) for row in b.rows)


def test_an_ellipse_holds_the_stated_share_of_a_units_posterior(link_material):
    from matplotlib.path import Path

    material = link_material(n_units=12, hidden=2)
    (axes,) = pictures_of(link_blocks(material))["leadership_units"].draw(LIGHT).axes
    units = material.results.tables["leadership_units"]
    unit = units[(units["predictor"] == "relational_leadership") & ~units["suppressed"]].iloc[0]
    sd_x, sd_y = unit["predictor_sd"], unit["outcome_sd"]
    across = unit["correlation"] * sd_x * sd_y
    draws = np.random.default_rng(1).multivariate_normal(
        [unit["predictor_mean"], unit["outcome_mean"]], [[sd_x**2, across], [across, sd_y**2]], 20_000
    )
    inside = Path(axes.patches[0].get_xy()).contains_points(draws).mean()
    # Monte Carlo error .002; sixty corners inside the ellipse cut off .0008.
    assert inside == pytest.approx(0.9, abs=0.01)


def test_the_line_through_the_units_has_the_unadjusted_joint_slope(link_material):
    material = link_material()
    (axes,) = pictures_of(link_blocks(material))["leadership_units"].draw(LIGHT).axes
    x, y = axes.lines[0].get_data()
    assert (y[-1] - y[0]) / (x[-1] - x[0]) == pytest.approx(row_of(material, adjusted=False)["per_point"])


def test_arrows_carry_latent_paths_and_are_dashed_where_zero_is_possible(link_material):
    material = link_material(effect=0.4)
    figure = pictures_of(link_blocks(material))["leadership_paths"].draw(LIGHT)
    paths = material.results.tables["leadership_paths"]
    rows = paths[(paths["scale"] == "latent") & (paths["source"] == "different") & paths["adjusted"]]
    for axes, level in zip(figure.axes, ("between", "within"), strict=True):
        by_path = rows[rows["level"] == level].set_index("path")
        texts = " ".join(text.get_text() for text in axes.texts)
        arrows = [p for p in axes.patches if type(p).__name__ == "FancyArrowPatch"]
        for name, arrow in zip(("first", "second", "direct"), arrows, strict=True):
            row = by_path.loc[name]
            interval = material.texts.interval(row["lower"], row["upper"])
            assert f"{material.texts.signed(row['mean'])}\n({interval})" in texts
            assert (arrow.get_linestyle() in ("-", "solid")) == (row["lower"] > 0)


def test_mediation_is_told_in_points_with_its_assumptions(link_material):
    material = link_material()
    words = words_of(link_blocks(material))
    assert "A path is a cause only if nothing else moves both of its ends" in words
    assert "of a total of +0.20 (0.12 to 0.28) points per standard deviation of leadership, +0.15" in words


def test_dimensions_apart_get_a_line_each_and_their_titles(link_material):
    material = link_material(separate=True, n_waves=3, methods=ALL, language="da")
    blocks = link_blocks(material)
    lines = next(b for b in blocks if isinstance(b, Bullets)).items
    assert len(lines) == 6
    assert lines[0].startswith("Rammesættende → Orientation: +0,20 (0,12 til 0,28) point")
    assert "af 6 sammenhænge mellem enheder er 6 positive og 0 negative" in lead_of(blocks)
    assert "intervallerne til 45\u00a0%–45\u00a0% af den bredde" in words_of(blocks)
    assert not re.search(r"relational_|\.(framing|safety|orientation)", words_of(blocks))
    assert len(pictures_of(blocks)["leadership_units"].draw(LIGHT).axes) == 3
    assert "leadership_paths" not in pictures_of(blocks)


def test_leaders_get_the_answer_without_paths_and_other_methods(link_material):
    material = link_material(
        methods=ALL, audience="leader", n_waves=3, left_out=(0.8, 1.2), coefficients=regressions()
    )
    blocks = link_blocks(material)
    assert lead_of(blocks) == blocks[0].text
    words = words_of(blocks)
    of_researchers = ("paths.column_path", "lagged.title", "method_title", "methods.naive")
    for key in (*of_researchers, "sensitivity.title", "regressions.title"):
        assert material.texts(f"links.{key}") not in words


def test_the_summary_has_the_answer_and_the_sources_are_listed(link_material):
    material = link_material()
    assert lead_of(link_blocks(material)) in words_of(summary_section(material).blocks)
    methods = next(section for section in sections_of(material) if section.id == "methods")
    assert "Hamaker, E. L." in words_of(methods.blocks)


def test_a_study_without_a_link_has_no_section_of_it(tmp_path, write_results):
    sections = sections_of(read_again(write_results(tmp_path, n_units=6)))
    assert not [section for section in sections if section.id.startswith("leadership-link")]


@pytest.mark.parametrize(("engine", "approximate"), [("fast", True), ("nuts", False)])
def test_a_link_by_the_fast_engine_makes_the_report_a_look(tmp_path, link_material, engine, approximate):
    link_material(n_units=6)
    path = tmp_path / "restricted" / "context.json"
    context = json.loads(path.read_text(encoding="utf-8"))
    context["links"][0]["engine"]["name"] = engine
    path.write_text(json.dumps(context), encoding="utf-8")
    assert is_approximate(read_again(tmp_path)) == approximate


@pytest.mark.parametrize("separate", [False, True])
def test_every_figure_fits_the_page_and_a_phone(link_material, separate):
    pictures = [
        b for b in link_blocks(link_material(separate=separate, methods=ALL)) if isinstance(b, Picture)
    ]
    assert len(pictures) == (6 if separate else 4)
    for picture in pictures:
        assert 400 < screen_size(png(picture.draw, LIGHT))[0] <= 950
        assert 250 < screen_size(png(picture.draw, replace(DARK, narrow=True)))[0] <= 325
