"""What stands beside a programme's effects: simpler methods, threats, the design and the checklist."""

from dataclasses import replace

import numpy as np
import pandas as pd
import programme_factory as factory
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from test_programme_effect import blocks_of, pictures_of, table_of, words_of

from relcap_models.language import LANGUAGES, load_texts
from relcap_models.report.blocks import Bullets, Definitions, Heading, Paragraph, Table
from relcap_models.report.figures.theme import LIGHT

ALIKE = dict.fromkeys(factory.METHODS, 1.05)
TWO_WAY = "Usual two-way fixed effects (+0.03)"
ATT = "Differences by cohort and wave (Callaway & Sant’Anna) (−0.30)"
INVENTED = "The same would be found for an invented start, a wave too early."


def after(blocks, heading):
    """Blocks of one part of the section."""
    place = next(n for n, b in enumerate(blocks) if isinstance(b, Heading) and b.text == heading)
    rest = blocks[place + 1 :]
    end = next((n for n, b in enumerate(rest) if isinstance(b, Heading)), len(rest))
    return rest[:end]


def beside(blocks):
    return after(blocks, "Do simpler methods say the same?")


def results(blocks):
    """By threat, what its check came to."""
    table = next(b for b in after(blocks, "What else could be behind it?") if isinstance(b, Table))
    return {row[0].text.partition(":")[0]: row[1].text for row in table.rows}


def test_methods_that_agree_are_said_to_agree(programme_material):
    blocks = beside(blocks_of(programme_material(methods=ALIKE)))
    bullets = next(b for b in blocks if isinstance(b, Bullets)).items
    assert "same sign and size. The model gives +0.30 (0.22 to 0.38) points, the others +0.32" in bullets[0]
    # The interaction is nothing: no method contradicts, and the sign is not told.
    assert "stays open" in bullets[3]
    assert len(bullets) == 4


@pytest.mark.parametrize(
    ("methods", "forbidden", "apart", "said", "silent"),
    [
        # The two-way estimate alone, with a third of its weight on forbidden comparisons.
        ({**ALIKE, "two_way": 0.1}, 0.3, TWO_WAY, "with 30% of its weight", "Why methods can differ"),
        ({**ALIKE, "two_way": 0.1}, 0.0, TWO_WAY, "Why methods can differ", "Where effects grow"),
        ({**ALIKE, "att_gt": -1.0}, 0.3, ATT, "Why methods can differ", "Where effects grow"),
    ],
)
def test_methods_that_differ_are_named_with_a_reason(
    programme_material, methods, forbidden, apart, said, silent
):
    blocks = beside(blocks_of(programme_material(methods=methods, forbidden=forbidden)))
    bullets = next(b for b in blocks if isinstance(b, Bullets)).items
    assert f"apart from it: {apart}" in bullets[0]
    assert said in " ".join(bullets)
    assert silent not in " ".join(bullets)


def test_a_method_of_the_same_sign_far_from_the_model_is_not_the_same_size(programme_material):
    # Three times as much, with an interval of ±0.1 that does not reach the model's.
    blocks = beside(blocks_of(programme_material(methods={"dyadic": 3.0})))
    assert "not the same throughout" in next(b for b in blocks if isinstance(b, Bullets)).items[0]


def test_a_method_without_an_interval_has_a_dash_and_its_p(programme_material):
    material = programme_material(methods=ALIKE)
    table = table_of(blocks_of(material), "programme_comparisons.csv")
    rows = {row[1].text: row for row in table.rows[:6]}
    assert rows["Means of clusters, randomisation inference"][2].text.endswith("(–)")
    assert rows["Means of clusters, randomisation inference"][3].text == "0.02"
    assert rows["The model"][3].text == "–"
    assert "12 relations left out" in rows["Usual two-way fixed effects"][-1].text
    assert "Fewer than twenty" in rows["Usual two-way fixed effects"][-1].text


def test_what_was_not_estimated_is_said_to_be_absent(programme_material):
    words = words_of(blocks_of(programme_material()))
    assert "Only the model was estimated" in words
    assert "Nothing else that could be behind it was checked" in words


def test_every_threat_has_a_sentence_with_what_its_check_came_to(programme_material):
    told = results(blocks_of(programme_material(threats=factory.all_threats())))
    assert "p\u00a0=\u00a00.61" in told["Trends before the start"]
    assert "less than 1.4 times the largest step" in told["Trends before the start"]
    assert "The interval holds zero, as it should" in told[INVENTED]
    placebo = told["The same would be found for something that the programme should not move."]
    assert placebo.startswith("Psychological safety: −0.01")
    assert "was +0.04 (−0.05 to 0.13)" in told["Anticipation"]
    assert "not equal before and after the start: loadings." in told["Another yardstick"]
    assert "otherwise for exposed relations in: RC1." in told["Another yardstick"]
    assert "drift and no shift by the programme, it moved in: RC5." in told["Another yardstick"]
    assert "20% to 30% no longer did" in told["Dropout and turnover"]
    assert "0.80 points lower" in told["Dropout and turnover"]
    assert "within the interval of the estimate over all data, +0.30 (0.20 to 0.40)" in told["Contamination"]
    assert "+0.15 to +0.35 points" in told["A single district or unit makes all of it."]
    assert "with: lowest" in told["A single district or unit makes all of it."]


def test_without_comparisons_it_is_said_that_drift_is_not_told_apart(programme_material):
    threats = factory.single_group_threats()
    blocks = blocks_of(programme_material(design="single_group", threats=threats))
    table = next(b for b in after(blocks, "What else could be behind the change?") if isinstance(b, Table))
    told = {row[0].text.partition(":")[0]: row[1].text for row in table.rows}
    said = (
        "Whether it would have moved without the programme cannot be told. There is nobody to compare with."
    )
    assert said in told["Another yardstick"]


def test_checks_of_a_simulated_programme_are_told_as_they_came_out(programme_material, true_threats):
    """Rows as `programme_threat_table` makes them: leaving districts out, and having chosen the lowest."""
    blocks = blocks_of(programme_material(threats=true_threats, chosen=True))
    told, texts = results(blocks), load_texts("en")
    rows = (
        true_threats[true_threats["estimand"] == "target_end"]
        .set_index(["threat", "quantity", "variant"])
        .sort_index()
    )
    one_out = rows.loc["leave_one_out", "effect"]
    span = [texts.signed(one_out.loc[variant, "value"]) for variant in ("lowest", "highest")]
    assert f"{span[0]} to {span[1]} points" in told["A single district or unit makes all of it."]
    selection = told["Regression to the mean"]
    for quantity in ("change", "difference"):
        simulated, observed = (
            rows.loc[("regression_to_the_mean", quantity, v)] for v in ("simulated", "observed")
        )
        assert f"{texts.signed(simulated['value'])} ({texts.number(simulated['lower'])} to " in selection
        assert texts.signed(observed["value"]) in selection
    assert not [said for said in told.values() if said == texts("programmes.threats.see_table")]
    # The districts left out are named in the table of all checks, and nowhere as codes.
    names = one_out["note"].str.extract("cluster:([^;]+)")[0]
    words = words_of(blocks)
    assert all(f"Without {name}." in words for name in names)
    assert not [
        code for code in ("leave_one_out", "cluster:", "not_lowest", "latent_difference") if code in words
    ]
    labels = _labels(pictures_of(blocks)["programme_threats"])
    assert {"One left out: lowest", "One left out: highest"} <= set(labels)
    assert "programme_selection" in pictures_of(blocks)


def test_a_placebo_that_moves_speaks_against_the_estimate(programme_material):
    moved = factory.threat_rows(("placebo_start", "", "target_end", "effect", 0.2, 0.1, 0.3, factory.NONE))
    told = results(blocks_of(programme_material(threats=moved)))
    assert "leaves out zero, which speaks against" in next(iter(told.values()))


def test_a_check_without_a_figure_is_said_to_be_impossible_and_why(programme_material):
    threats = factory.all_threats()
    blocks = blocks_of(programme_material(threats=threats))
    said = results(blocks)["Regression to the mean"]
    assert said == "It cannot be checked with this design. There is nobody to compare with."
    assert "programme_selection" not in pictures_of(blocks)
    # No bound that overturns the effect is a result.
    rows = [[cell.text for cell in row] for b in blocks if isinstance(b, Table) for row in b.rows]
    smooth = next(row for row in rows if "by how much trends bend" in row)
    assert smooth[-1].startswith("However large the violation")


def test_what_choosing_the_lowest_does_stands_beside_what_was_seen(programme_material):
    threats = pd.concat([factory.all_threats()[:-1], factory.selection()])
    blocks = blocks_of(programme_material(threats=threats, chosen=True))
    said = results(blocks)["Regression to the mean"]
    assert "rise by +0.10 (0.02 to 0.18) points; they rose by +0.35 (p\u00a0<\u00a00.01)" in said
    labels = _labels(pictures_of(blocks)["programme_selection"])
    assert [label.partition(": ")[2] for label in labels] == ["by choosing alone", "as seen"] * 2


def _labels(picture):
    (axes,) = picture.draw(LIGHT).axes
    return [label.get_text() for label in axes.get_yticklabels()]


def test_the_figure_of_threats_has_each_variant_below_the_estimate_over_all_data(programme_material):
    pictures = pictures_of(blocks_of(programme_material(threats=factory.all_threats())))
    assert _labels(pictures["programme_threats"])[:4] == [
        "Over all data",
        "Invented earlier start",
        "Placebo: Psychological safety",
        "Anticipation",
    ]
    assert _labels(pictures["programme_trends"])[1:] == [
        f"trends differ by at most {bound} times as much" for bound in ("0.5", "1", "2")
    ]


def test_items_that_moved_with_the_programme_stand_beside_those_that_moved_everywhere(programme_material):
    pictures = pictures_of(blocks_of(programme_material(threats=factory.all_threats())))
    drift, shift = pictures["programme_shift"].draw(LIGHT).axes
    assert [label.get_text() for label in drift.get_yticklabels()] == ["RC1", "RC5"]
    for ax, moved in ((drift, [0.1, 0.5]), (shift, [0.4, -0.1])):
        points = next(c for c in ax.collections if isinstance(c, PathCollection) and len(c.get_offsets()))
        np.testing.assert_allclose(points.get_offsets(), [[x, row] for row, x in enumerate(moved)])


@pytest.mark.parametrize("way", [1, -1])
def test_the_effect_reaches_zero_where_those_who_left_tip_it(programme_material, way):
    threats = factory.all_threats(effect=0.3 * way)
    threats.loc[threats["quantity"] == "tipping_point", "value"] *= way
    pictures = pictures_of(blocks_of(programme_material(effect=0.3 * way, threats=threats)))
    (ax,) = pictures["programme_tipping"].draw(LIGHT).axes
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices
    edges = [corners[corners[:, 0] == x, 1] for x in (0, corners[:, 0].max())]
    # The limit nearer to zero: 0.2 away at the start, and a quarter of a point nearer with each point.
    start, end = (edge.min() if way > 0 else edge.max() for edge in edges)
    assert start == pytest.approx(0.2 * way)
    assert start + (end - start) * 0.8 / corners[:, 0].max() == pytest.approx(0, abs=1e-12)


def test_where_nobody_left_there_is_no_such_figure(programme_material):
    threats = factory.all_threats()
    threats = threats[threats["quantity"] != "tipping_point"]
    assert "programme_tipping" not in pictures_of(blocks_of(programme_material(threats=threats)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_on_a_phone_every_label_of_the_checks_fits_the_figure(programme_material, language):
    threats = pd.concat([factory.all_threats(), factory.selection()])
    material = programme_material(methods=ALIKE, threats=threats, language=language)
    pictures = pictures_of(blocks_of(material))
    for name in ("comparisons", "threats", "trends", "shift", "tipping", "selection"):
        figure = pictures[f"programme_{name}"].draw(replace(LIGHT, narrow=True))
        figure.draw_without_rendering()
        labels = [text for ax in figure.axes for text in ax.texts]
        assert labels
        assert not [text.get_text() for text in labels if text.get_window_extent().x1 > figure.bbox.x1]


def test_the_course_has_hollow_marks_before_the_start_and_a_goal(programme_material):
    material = programme_material(before=0.3)
    blocks = blocks_of(material)
    figure = pictures_of(blocks)["programme_course"].draw(LIGHT)
    axes = figure.axes[0]
    # Zero, the goal, and the line at the start.
    lines = {tuple(line.get_ydata()) for line in axes.get_lines()}
    assert {(0, 0), (factory.GOAL, factory.GOAL)} <= lines
    _, before, later = (marks for marks in axes.collections if isinstance(marks, PathCollection))
    assert before.get_offsets().tolist() == [[-2.0, pytest.approx(0.3)]]
    assert to_hex(before.get_facecolor()[0]) == LIGHT.paper
    assert to_hex(later.get_facecolor()[0]) == LIGHT.accent
    assert "Of 4 differences there, 4 have 90% intervals that exclude zero" in words_of(blocks)


def test_the_exposure_map_counts_relations_by_cohorts_and_wave(programme_material):
    blocks = blocks_of(programme_material())
    figure = pictures_of(blocks)["programme_exposure"].draw(LIGHT)
    assert [ax.get_title().split()[0] for ax in figure.axes] == ["w1", "w2", "w3"]
    first = figure.axes[0]
    assert [text.get_text() for text in first.texts] == [str(n) for n in range(10, 19)]
    assert [label.get_text() for label in first.get_yticklabels()] == ["w2", "w3", "never"]
    own = pictures_of(blocks_of(programme_material(instrument="psychological_safety")))
    (axes,) = own["programme_exposure"].draw(LIGHT).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["w1", "w2", "w3"]


def test_the_design_says_who_is_compared_and_who_is_left_out(programme_material):
    blocks = after(blocks_of(programme_material()), "The design")
    assert isinstance(blocks[0], Paragraph)
    assert "relations that are under it already serve for no comparison" in blocks[0].text
    pairs = dict(next(b for b in blocks if isinstance(b, Definitions)).pairs)
    assert pairs["Units left out, under the programme in all waves"] == "2"
    assert pairs["Relations in waves left out, nobody to compare with"] == "17"


@pytest.mark.parametrize(
    ("assignment", "only", "never"),
    [
        ("randomised", "How the lots were drawn", "What was held constant"),
        ("observational", "What was held constant", "How the lots were drawn"),
    ],
)
def test_the_checklist_follows_the_assignment_and_says_what_is_not_reported(
    programme_material, assignment, only, never
):
    blocks = blocks_of(programme_material(assignment=assignment, threats=factory.all_threats()))
    rows = {row[0].text: row[1] for row in blocks[-1].rows}
    assert any(item.startswith(only) for item in rows)
    assert not any(item.startswith(never) for item in rows)
    assert rows["Size that counts as success, set in advance"].text == "0.20 points, in the study file."
    assert f"assignment: {assignment}" in rows["Design, and how it was decided who takes part"].text
    assert "Dropout" in rows["Sensitivity analyses"].text
    assert "Regression to the mean" not in rows["Sensitivity analyses"].text
    for item in ("How the number of units and people was decided", "Funding, and interests"):
        assert (rows[item].text, rows[item].muted) == ("not reported", True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_of_the_tables_has_words(programme_material, language):
    texts = load_texts(language)
    threats = pd.concat([factory.all_threats(), factory.selection()])
    for threat in set(threats["threat"]) - {"none"}:
        assert texts(f"programmes.threats.{threat}.name") != texts(f"programmes.threats.{threat}.effect")
    material = programme_material(methods=ALIKE, forbidden=0.3, threats=threats, language=language)
    words = words_of(blocks_of(material))
    codes = ["att_gt", "later_earlier", "few_clusters", "not_held", "leave_one_out", "wald", "tipping_point"]
    assert not [code for code in [*codes, "target_end", "relative:", "cluster:"] if code in words]
