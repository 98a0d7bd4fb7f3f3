"""The section on a leadership link: the mixed model, what the link hangs on, and regressions among units."""

import re

import pandas as pd
import pytest
from link_factory import regressions
from section_reader import bullets_after, link_blocks, pictures_of, read_again, tables_of, words_of

from relcap_models.report.blocks import Table
from relcap_models.report.figures.theme import LIGHT


def test_the_mixed_model_has_a_row_after_the_plain_means_and_none_where_the_same_people_rate(link_material):
    material = link_material(methods=("naive", "mixed", "corrected", "joint"))
    blocks = link_blocks(material)
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
    words = words_of(link_blocks(material))
    assert material.texts("links.sensitivity.title") not in words
    assert material.texts("links.regressions.title") not in words
    assert "Mixed model" not in words


def test_the_strength_that_a_confounder_needs_is_told_with_its_interval_at_each_level(link_material):
    material = link_material(left_out=(0.8, 1.2))
    texts, table = material.texts, material.results.tables["leadership_sensitivity"]
    lines = bullets_after(link_blocks(material), texts("links.sensitivity.title"))
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
    lines = bullets_after(link_blocks(material), material.texts("links.sensitivity.title"))
    assert ["own interval holds zero" in line for line in lines] == [holds, holds]


@pytest.mark.parametrize(
    ("left_out", "turns"), [((0.8, 1.2), False), ((-0.1, 1.2), True), ((-1.2, -0.8), False)]
)
def test_the_range_without_one_unit_is_told_and_whether_the_direction_hangs_on_it(
    link_material, left_out, turns
):
    material = link_material(left_out=left_out)
    lines = bullets_after(link_blocks(material), material.texts("links.sensitivity.title"))
    # Within units the slope is half of that between them.
    for line, part in ((lines[0], 1.0), (lines[2], 0.5)):
        lowest, highest = (material.texts.signed(5 * 0.2 * part * factor) for factor in left_out)
        assert f"the slope lies between {lowest} and {highest}." in line
        assert ("hangs on a single unit" in line) == turns


def test_every_check_stands_in_a_row_under_the_estimate_level_by_level(link_material):
    material = link_material(left_out=(0.8, 1.2))
    between, within = tables_of(link_blocks(material), "leadership_sensitivity")
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
    assert [row[1].sort for row in within.rows] == pytest.approx([0.5, 0.45, 0.55, 0.4, 0.6, 0.4, 0.6])
    assert [column.label for column in between.columns[1:]] == [
        "Different people, adjusted",
        "Different people, not adjusted",
    ]


@pytest.mark.parametrize(("engine", "said"), [("nuts", True), ("fast", False)])
def test_checks_by_another_engine_than_the_estimate_are_called_so(link_material, engine, said):
    words = words_of(link_blocks(link_material(left_out=(0.8, 1.2), engine=engine)))
    assert ("estimated with the fast engine" in words) == said


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
        line = bullets_after(link_blocks(material), material.texts("links.regressions.title"))[place]
        assert words in line
        assert f"{material.texts.signed(mean)} (" in line
        assert material.texts.p(p)[1:] in line


def test_the_contingency_test_tells_both_expectations_and_what_the_data_say_of_each(link_material):
    found = regressions(structure=(-0.05, 0.31), capacity=(0.3, 0.97))
    material = link_material(coefficients=found)
    line = bullets_after(link_blocks(material), material.texts("links.regressions.title"))[3].replace(
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
    line = bullets_after(link_blocks(material), material.texts("links.regressions.title"))[3]
    assert ("Both intervals exclude zero" in line) == clear
    assert ("do not decide it" in line) != clear


def test_without_both_products_there_is_no_contingency_test(link_material):
    found = {term: one for term, one in regressions().items() if term[2] != "meetings × complexity"}
    material = link_material(coefficients=found)
    assert len(bullets_after(link_blocks(material), material.texts("links.regressions.title"))) == 3
    assert "LAOS" not in words_of(link_blocks(material))


def test_coefficients_stand_under_the_names_of_instruments_and_attributes(link_material):
    material = link_material(coefficients=regressions(moderation=(0.4, 0.99)))
    (table,) = tables_of(link_blocks(material), "leadership_regressions")
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
    words = words_of(link_blocks(material))
    assert "LAOS (2021) venter" in words
    assert not re.search(r"\b(the|of|and|leadership|capacity)\b", words.replace("Relational capacity", ""))


def test_dimensions_apart_have_checks_and_regressions_of_their_own(link_material, tmp_path):
    link_material(separate=True, left_out=(0.8, 1.2), coefficients=regressions())
    path = tmp_path / "public" / "tables" / "leadership_regressions.csv"
    first = pd.read_csv(path).query("question == 'outcome' and term == 'capacity'")
    pd.concat([first, first.assign(mean=0.4, lower=0.2, upper=0.6)]).to_csv(path, index=False)
    blocks = link_blocks(read_again(tmp_path))
    lines = bullets_after(blocks, "How easily would it come out otherwise?")
    assert [line.partition(". ")[0] for line in lines] == [
        f"Framing → {dimension}" for dimension in ("Orientation", "Behaviour") for _ in range(4)
    ]
    orientation, behaviour = bullets_after(blocks, "What does it depend on, and what does it go with?")
    assert orientation.startswith("Does “quality” go with “Orientation”? That stays open")
    assert behaviour.startswith("Does “quality” go with “Behaviour”? It is higher")
