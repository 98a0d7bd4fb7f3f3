"""The section on a leadership link says what its tables hold, and no more."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from relcap_models.report.assembly import sections_of
from relcap_models.report.blocks import Bullets, Heading, Paragraph, Picture, Table
from relcap_models.report.figures.theme import DARK, LIGHT, png, screen_size
from relcap_models.report.render import is_approximate
from relcap_models.report.sections.leadership_link import link_sections
from relcap_models.report.sections.summary import summary_section

ALL = ("naive", "corrected", "joint")


def blocks_of(material):
    (section,) = link_sections(material)
    return section.blocks


def words_of(blocks):
    words = []
    for block in blocks:
        words += [getattr(block, name, "") for name in ("text", "caption", "alt")]
        words += getattr(block, "items", ())
        for row in getattr(block, "rows", ()):
            words += [cell.text for cell in row]
        words += [column.label for column in getattr(block, "columns", ())]
    return " ".join(words)


def lead_of(blocks):
    return next(b.text for b in blocks if isinstance(b, Paragraph) and b.style == "lead")


def pictures_of(blocks):
    return {b.name.partition("_1-")[0]: b for b in blocks if isinstance(b, Picture)}


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
    blocks, row = blocks_of(material), row_of(material)
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
    text = blocks_of(material)[1].text
    assert f"It is {word} ({material.texts.p(large)}) that" in text
    assert side in text
    assert f"({material.texts.p(row['prob_rope'])}) that" in text


@pytest.mark.parametrize("language", ["en", "da", "nb"])
def test_nothing_is_called_significant_or_a_cause(link_material, language):
    words = words_of(blocks_of(link_material(language=language, methods=ALL, n_waves=3))).lower()
    assert not re.search(r"signifi[ck]", words)
    claims = {"en": r"\b(causes|leads to|affects)\b", "da": r"\bforårsager\b", "nb": r"\bforårsaker\b"}
    denied = {"en": "is not “causes”", "da": "er ikke »forårsager«", "nb": "er ikke «forårsaker»"}
    assert len(re.findall(claims[language], words)) == words.count(denied[language]) == 1


def test_the_answer_is_the_joint_adjusted_estimate_of_different_people_whatever_stands_beside_it(
    link_material,
):
    alone = lead_of(blocks_of(link_material()))
    beside = link_material(methods=ALL)
    assert lead_of(blocks_of(beside)) == alone
    other = row_of(beside, adjusted=False)
    assert beside.texts.signed(other["mean"]) != beside.texts.signed(row_of(beside)["mean"])
    assert f"without that {beside.texts.signed(other['mean'])}" in words_of(blocks_of(beside))


def test_attenuation_and_common_method_bias_are_told_in_points(link_material):
    material = link_material(methods=ALL)
    words = words_of(blocks_of(material))
    naive, same = row_of(material, method="naive"), row_of(material, source="same", adjusted=False)
    assert f"Plain unit means would have given {material.texts.signed(naive['mean'])} (" in words
    assert f"Where the same people rate both, it is {material.texts.signed(same['mean'])} (" in words


def test_one_source_alone_is_called_so(link_material):
    blocks = blocks_of(link_material(sources=("same",)))
    assert "The same people answered both." in lead_of(blocks)
    words = words_of(blocks)
    assert "Nobody rates both" not in words
    assert "Adjusted for" not in words


def test_without_ratings_of_the_own_unit_the_second_source_is_said_to_be_missing(link_material):
    material = link_material(sources=("different",))
    words = words_of(blocks_of(material))
    assert material.texts("links.explained.no_same") in words
    assert "Same people" not in words


@pytest.mark.parametrize(("options", "said"), [({"n_units": 9}, True), ({"n_units": 10}, False)])
def test_fewer_than_ten_units_are_called_few_even_where_their_number_is_hidden(link_material, options, said):
    for few_to_count in (False, True):
        blocks = blocks_of(link_material(**options, few_to_count=few_to_count))
        assert ("So few hardly show how units differ" in words_of(blocks[:4])) == said


@pytest.mark.parametrize(("share", "width"), [(0.64, "80%"), (0.81, "90%")])
def test_where_the_prior_is_most_of_the_interval_it_is_said_beside_the_answer(link_material, share, width):
    text = words_of(blocks_of(link_material(prior_share=share))[:4])
    assert f"only to {width} of the width" in text
    assert f"{round(100 * share)}% is the prior’s" in text


def test_a_small_share_of_the_prior_is_told_among_the_methods_only(link_material):
    blocks = blocks_of(link_material(prior_share=0.04))
    assert "the prior" not in words_of(blocks[:4])
    assert "to 20% of the width" in blocks[-1].text


def test_missing_methods_are_said_to_be_missing_and_leave_no_rows(link_material):
    blocks = blocks_of(link_material())
    assert "Only the joint model was estimated" in words_of(blocks)
    table = next(b for b in blocks if isinstance(b, Table))
    assert [row[0].text for row in table.rows] == ["Joint model"]


def test_the_estimates_stand_side_by_side_from_plain_to_joint(link_material):
    material = link_material(methods=("joint", "naive", "corrected"))
    blocks = blocks_of(material)
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
    material = _read_again(tmp_path)
    blocks = blocks_of(material)
    rows = {row[0].text: row for row in next(b for b in blocks if isinstance(b, Table)).rows}
    assert {cell.text for cell in rows["Corrected for error"][1:]} == {"–"}
    figure = pictures_of(blocks)["leadership_link_between"].draw(LIGHT)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert material.texts("links.not_estimated") in legend


def _read_again(folder):
    from relcap_models.language import load_texts
    from relcap_models.report.material import Material
    from relcap_models.report.results import read_results

    results = read_results(folder)
    return Material(results, load_texts(results.context["report"]["language"]))


def test_levels_stand_apart_in_tables_and_figures(link_material):
    material = link_material()
    blocks = blocks_of(material)
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
    blocks = blocks_of(material)
    assert material.texts("links.one_wave") in words_of(blocks)
    assert "leadership_link_within" not in pictures_of(blocks)
    assert "In waves in which" not in words_of(blocks)
    assert material.texts("links.lagged.title") not in words_of(blocks)


def test_lagged_effects_are_told_as_description_from_three_waves_on(link_material):
    blocks = blocks_of(link_material(n_waves=3))
    place = next(
        n for n, b in enumerate(blocks) if isinstance(b, Heading) and b.text == "From one wave to the next"
    )
    assert "it tells no cause" in blocks[place + 1].text
    before = {row[1].text for row in blocks[place + 2].rows}
    assert before == {"How the unit rates others", "Relational leadership", "Relational capacity"}


def test_suppressed_units_are_not_drawn_and_are_counted(link_material):
    material = link_material(n_units=12, hidden=2)
    picture = pictures_of(blocks_of(material))["leadership_units"]
    assert "2 units are not drawn" in picture.caption
    (axes,) = picture.draw(LIGHT).axes
    (points,) = [c.get_offsets() for c in axes.collections if len(c.get_offsets()) > 1]
    units = material.results.tables["leadership_units"]
    shown = units[(units["predictor"] == "relational_leadership") & ~units["suppressed"]]
    assert np.allclose(np.asarray(points), shown[["predictor_mean", "outcome_mean"]])


def test_no_hidden_unit_leaves_no_sentence_about_one(link_material):
    picture = pictures_of(blocks_of(link_material(hidden=0)))["leadership_units"]
    assert "not drawn" not in picture.caption


@pytest.mark.parametrize(("shown", "drawn"), [(0, False), (7, False), (8, True)])
def test_fewer_than_eight_units_get_a_sentence_in_place_of_the_figure(link_material, shown, drawn):
    blocks = blocks_of(link_material(n_units=12, hidden=12 - shown))
    assert ("fewer than 8 may be shown" in words_of(blocks)) != drawn
    assert bool(tables_of(blocks, "leadership_units")) == (shown > 0)
    assert ("leadership_units" in pictures_of(blocks)) == drawn
    assert ("it has 3 leaders or more" in words_of(blocks)) != drawn
    assert any("Joint model" in row[0].text for b in blocks if isinstance(b, Table) for row in b.rows)


def test_an_ellipse_holds_the_stated_share_of_a_units_posterior(link_material):
    from matplotlib.path import Path

    material = link_material(n_units=12, hidden=2)
    (axes,) = pictures_of(blocks_of(material))["leadership_units"].draw(LIGHT).axes
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
    (axes,) = pictures_of(blocks_of(material))["leadership_units"].draw(LIGHT).axes
    x, y = axes.lines[0].get_data()
    assert (y[-1] - y[0]) / (x[-1] - x[0]) == pytest.approx(row_of(material, adjusted=False)["per_point"])


def test_arrows_carry_latent_paths_and_are_dashed_where_zero_is_possible(link_material):
    material = link_material(effect=0.4)
    figure = pictures_of(blocks_of(material))["leadership_paths"].draw(LIGHT)
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
    words = words_of(blocks_of(material))
    assert "A path is a cause only if nothing else moves both of its ends" in words
    assert "of a total of +0.20 (0.12 to 0.28) points per standard deviation of leadership, +0.15" in words


def test_dimensions_apart_get_a_line_each_and_their_titles(link_material):
    material = link_material(separate=True, n_waves=3, methods=ALL, language="da")
    blocks = blocks_of(material)
    lines = next(b for b in blocks if isinstance(b, Bullets)).items
    assert len(lines) == 6
    assert lines[0].startswith("Rammesættende → Orientation: +0,20 (0,12 til 0,28) point")
    assert "af 6 sammenhænge mellem enheder er 6 positive og 0 negative" in lead_of(blocks)
    assert "intervallerne til 45\u00a0%–45\u00a0% af den bredde" in words_of(blocks)
    assert not re.search(r"relational_|\.(framing|safety|orientation)", words_of(blocks))
    assert len(pictures_of(blocks)["leadership_units"].draw(LIGHT).axes) == 3
    assert "leadership_paths" not in pictures_of(blocks)


def bullets_after(blocks, title):
    place = next(n for n, b in enumerate(blocks) if isinstance(b, Heading) and b.text == title)
    return next(b.items for b in blocks[place:] if isinstance(b, Bullets))


def tables_of(blocks, name):
    return [b for b in blocks if isinstance(b, Table) and b.source == f"tables/{name}.csv"]


def test_the_mixed_model_has_a_row_after_the_plain_means_and_none_where_the_same_people_rate(link_material):
    material = link_material(methods=("naive", "mixed", "corrected", "joint"))
    blocks = blocks_of(material)
    table = next(b for b in blocks if isinstance(b, Table))
    assert [row[0].text for row in table.rows][:2] == ["Plain unit means", "Mixed model of means"]
    mixed = material.results.tables["leadership_mixed"]
    wanted = {"scale": "points", "level": "between", "predictor": "relational_leadership"}
    rows = mixed[(mixed[list(wanted)] == pd.Series(wanted)).all(axis=1)].set_index("adjusted")["mean"]
    assert [cell.sort for cell in table.rows[1][1:]] == [
        pytest.approx(rows[True]),
        pytest.approx(rows[False]),
        None,
    ]
    assert table.source == "tables/leadership_link.csv, tables/leadership_mixed.csv"
    assert "with a random intercept for the unit that is rated" in words_of(blocks)
    figure = pictures_of(blocks)["leadership_link_between"].draw(LIGHT)
    assert ["Mixed model of means" in [t.get_text() for t in ax.get_yticklabels()] for ax in figure.axes] == [
        True,
        True,
        False,
    ]


def test_without_their_tables_checks_and_regressions_have_no_heading(link_material):
    material = link_material()
    words = words_of(blocks_of(material))
    assert material.texts("links.sensitivity.title") not in words
    assert material.texts("links.regressions.title") not in words
    assert "Mixed model" not in words


def test_the_strength_that_a_confounder_needs_is_told_with_its_interval_at_each_level(link_material):
    material = link_material(left_out=(0.8, 1.2))
    texts, table = material.texts, material.results.tables["leadership_sensitivity"]
    lines = bullets_after(blocks_of(material), texts("links.sensitivity.title"))
    assert [line.partition(":")[0] for line in lines] == [
        "Between units (adjusted)",
        "Between units (not adjusted)",
        "Within units, over waves (adjusted)",
        "Within units, over waves (not adjusted)",
    ]
    for line, (level, adjusted) in zip(
        lines, [("between", True), ("between", False), ("within", True), ("within", False)], strict=True
    ):
        rows = table[(table["level"] == level) & (table["adjusted"] == adjusted)].set_index("check")
        needed, estimate = rows.loc["robustness"], rows.loc["estimate"]
        assert f"the slope of {texts.signed(estimate['mean'])} (" in line
        share, lower, upper = (texts.percent(needed[c]) for c in ("mean", "lower", "upper"))
        assert f"explain {share} of each of the two (90% interval {lower} to {upper})" in line


@pytest.mark.parametrize(("sd", "holds"), [(0.05, False), (0.2, True)])
def test_an_interval_that_holds_zero_already_is_said_to_need_no_confounder(link_material, sd, holds):
    material = link_material(sd=sd, left_out=(0.8, 1.2), n_waves=1)
    lines = bullets_after(blocks_of(material), material.texts("links.sensitivity.title"))
    assert ["own interval holds zero" in line for line in lines] == [holds, holds]


@pytest.mark.parametrize(
    ("left_out", "turns"), [((0.8, 1.2), False), ((-0.1, 1.2), True), ((-1.2, -0.8), False)]
)
def test_the_range_without_one_unit_is_told_and_whether_the_direction_hangs_on_it(
    link_material, left_out, turns
):
    material = link_material(left_out=left_out)
    lines = bullets_after(blocks_of(material), material.texts("links.sensitivity.title"))
    lowest, highest = (material.texts.signed(5 * 0.2 * factor) for factor in left_out)
    assert f"the slope lies between {lowest} and {highest}." in lines[0]
    assert ("hangs on a single unit" in lines[0]) == turns
    assert not any("single unit" in line for line in lines[2:])


def test_every_check_stands_in_a_row_under_the_estimate_level_by_level(link_material):
    material = link_material(left_out=(0.8, 1.2))
    between, within = tables_of(blocks_of(material), "leadership_sensitivity")
    assert [row[0].text for row in between.rows] == [
        "The estimate itself",
        "Other priors: spreads half as large",
        "Other priors: spreads twice as large",
        "Without what leaders say of leadership",
        "Without units in which fewer than 5 people rate leaders and team",
        "One unit left out: lowest slope",
        "One unit left out: highest slope",
    ]
    assert [row[1].sort for row in between.rows] == pytest.approx([1.0, 0.9, 1.1, 0.8, 1.2, 0.8, 1.2])
    assert [row[2].sort for row in between.rows] == pytest.approx([1.5, 1.35, 1.65, 1.2, 1.8, 1.2, 1.8])
    assert [row[1].sort for row in within.rows] == pytest.approx([0.5, 0.45, 0.55, 0.4, 0.6])
    assert [column.label for column in between.columns[1:]] == [
        "Different people, adjusted",
        "Different people, not adjusted",
    ]


@pytest.mark.parametrize(("engine", "said"), [("nuts", True), ("fast", False)])
def test_checks_by_another_engine_than_the_estimate_are_called_so(link_material, engine, said):
    words = words_of(blocks_of(link_material(left_out=(0.8, 1.2), engine=engine)))
    assert ("estimated with the fast engine" in words) == said


def regressions(**means):
    """Mean and P(> 0) of some coefficients; others are 0."""
    terms = {
        "moderation": ("moderation", "capacity", "leadership × complexity"),
        "cascade": ("cascade", "leadership", "leadership above"),
        "outcome": ("outcome", "quality", "capacity"),
        "structure": ("outcome", "quality", "meetings × complexity"),
        "capacity": ("outcome", "quality", "capacity × complexity"),
    }
    return {term: means.get(name, (0.0, 0.5)) for name, term in terms.items()}


@pytest.mark.parametrize(
    ("question", "place", "said"),
    [
        ("moderation", 0, ("higher where “complexity” is higher", "lower where", "That stays open")),
        ("cascade", 1, ("have more, too", "have less", "That stays open")),
        ("outcome", 2, ("It is higher in units", "It is lower in units", "That stays open")),
    ],
)
def test_each_question_is_answered_in_the_direction_of_its_interval(link_material, question, place, said):
    for mean, p, words in zip((0.4, -0.4, 0.1), (0.995, 0.03, 0.84), said, strict=True):
        material = link_material(coefficients=regressions(**{question: (mean, p)}))
        line = bullets_after(blocks_of(material), material.texts("links.regressions.title"))[place]
        assert words in line
        assert f"{material.texts.signed(mean)} (" in line
        assert material.texts.p(p)[1:] in line


def test_the_contingency_test_tells_both_expectations_and_what_the_data_say_of_each(link_material):
    found = regressions(structure=(-0.05, 0.31), capacity=(0.3, 0.97))
    material = link_material(coefficients=found)
    line = bullets_after(blocks_of(material), material.texts("links.regressions.title"))[3].replace(
        "\u00a0", " "
    )
    assert "LAOS (2021) expects" in line
    assert "Gittell (2002) found" in line
    assert "P(meetings × complexity < 0) = 0.69" in line
    assert "P(Relational capacity × complexity > 0) = 0.97" in line
    assert "At least one of the two intervals holds zero" in line
    assert "It is for the data to decide, not for this report" in line


@pytest.mark.parametrize(("structure", "clear"), [(-0.3, True), (0.3, True), (0.1, False)])
def test_the_contingency_test_is_open_unless_both_intervals_exclude_zero(link_material, structure, clear):
    found = regressions(structure=(structure, 0.5), capacity=(0.3, 0.97))
    material = link_material(coefficients=found)
    line = bullets_after(blocks_of(material), material.texts("links.regressions.title"))[3]
    assert ("Both intervals exclude zero" in line) == clear
    assert ("do not decide it" in line) != clear


def test_without_both_products_there_is_no_contingency_test(link_material):
    found = {term: one for term, one in regressions().items() if term[2] != "meetings × complexity"}
    material = link_material(coefficients=found)
    assert len(bullets_after(blocks_of(material), material.texts("links.regressions.title"))) == 3
    assert "LAOS" not in words_of(blocks_of(material))


def test_coefficients_stand_under_the_names_of_instruments_and_attributes(link_material):
    material = link_material(coefficients=regressions(moderation=(0.4, 0.99)))
    (table,) = tables_of(blocks_of(material), "leadership_regressions")
    assert [(row[0].text, row[1].text) for row in table.rows] == [
        ("Relational capacity", "Relational leadership × complexity"),
        ("Relational leadership", "Leadership in the layer above"),
        ("quality", "Relational capacity"),
        ("quality", "meetings × complexity"),
        ("quality", "Relational capacity × complexity"),
    ]
    assert table.rows[0][3].sort == pytest.approx(0.4)
    assert table.rows[0][4].sort == pytest.approx(0.99)


@pytest.mark.parametrize("language", ["da", "nb"])
def test_checks_and_regressions_are_told_in_the_language_of_the_report(link_material, language):
    material = link_material(language=language, left_out=(0.8, 1.2), coefficients=regressions())
    words = words_of(blocks_of(material))
    assert "LAOS (2021) venter" in words
    assert not re.search(r"\b(the|of|and|leadership|capacity)\b", words.replace("Relational capacity", ""))


def test_dimensions_apart_have_checks_and_regressions_of_their_own(link_material, tmp_path):
    link_material(separate=True, left_out=(0.8, 1.2), coefficients=regressions())
    path = tmp_path / "public" / "tables" / "leadership_regressions.csv"
    first = pd.read_csv(path).query("question == 'outcome' and term == 'capacity'")
    pd.concat([first, first.assign(mean=0.4, lower=0.2, upper=0.6)]).to_csv(path, index=False)
    blocks = blocks_of(_read_again(tmp_path))
    lines = bullets_after(blocks, "How easily would it come out otherwise?")
    assert [line.partition(". ")[0] for line in lines] == [
        f"Framing → {dimension}" for dimension in ("Orientation", "Behaviour") for _ in range(4)
    ]
    orientation, behaviour = bullets_after(blocks, "What does it depend on, and what does it go with?")
    assert orientation.startswith("Does “quality” go with “Orientation”? That stays open")
    assert behaviour.startswith("Does “quality” go with “Behaviour”? It is higher")


def test_leaders_get_the_answer_without_paths_and_other_methods(link_material):
    material = link_material(
        methods=ALL, audience="leader", n_waves=3, left_out=(0.8, 1.2), coefficients=regressions()
    )
    blocks = blocks_of(material)
    assert lead_of(blocks) == blocks[0].text
    words = words_of(blocks)
    of_researchers = ("paths.column_path", "lagged.title", "method_title", "methods.naive")
    for key in (*of_researchers, "sensitivity.title", "regressions.title"):
        assert material.texts(f"links.{key}") not in words


def test_the_summary_has_the_answer_and_the_sources_are_listed(link_material):
    material = link_material()
    assert lead_of(blocks_of(material)) in words_of(summary_section(material).blocks)
    methods = next(section for section in sections_of(material) if section.id == "methods")
    assert "Hamaker, E. L." in words_of(methods.blocks)


def test_a_study_without_a_link_has_no_section_of_it(tmp_path, write_results):
    sections = sections_of(_read_again(write_results(tmp_path, n_units=6)))
    assert not [section for section in sections if section.id.startswith("leadership-link")]


@pytest.mark.parametrize(("engine", "approximate"), [("fast", True), ("nuts", False)])
def test_a_link_by_the_fast_engine_makes_the_report_a_look(tmp_path, link_material, engine, approximate):
    link_material(n_units=6)
    path = tmp_path / "restricted" / "context.json"
    context = json.loads(path.read_text(encoding="utf-8"))
    context["links"][0]["engine"]["name"] = engine
    path.write_text(json.dumps(context), encoding="utf-8")
    assert is_approximate(_read_again(tmp_path)) == approximate


@pytest.mark.parametrize("separate", [False, True])
def test_every_figure_fits_the_page_and_a_phone(link_material, separate):
    pictures = [b for b in blocks_of(link_material(separate=separate, methods=ALL)) if isinstance(b, Picture)]
    assert len(pictures) == (6 if separate else 4)
    for picture in pictures:
        assert 400 < screen_size(png(picture.draw, LIGHT))[0] <= 950
        assert 250 < screen_size(png(picture.draw, replace(DARK, narrow=True)))[0] <= 325
