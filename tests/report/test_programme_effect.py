"""The section on a programme says what its tables hold, and no more."""

import re

import pandas as pd
import programme_factory as factory
import pytest
from section_reader import lead_of, pictures_of, words_of

from relcap_models.language import LANGUAGES
from relcap_models.report.assembly import sections_of
from relcap_models.report.blocks import Bullets, Heading, Picture, Table
from relcap_models.report.figures.theme import DARK, LIGHT, png
from relcap_models.report.render import is_approximate
from relcap_models.report.sections.closing import not_done_section
from relcap_models.report.sections.programme_effect import programme_sections
from relcap_models.report.sections.summary import summary_section

ALIKE = dict.fromkeys(factory.METHODS, 1.05)
EFFECT_WORD = re.compile(r"effe[ck]t", re.IGNORECASE)


def section_of(material):
    (section,) = programme_sections(material)
    return section


def blocks_of(material):
    return section_of(material).blocks


def table_of(blocks, source):
    return next(b for b in blocks if isinstance(b, Table) and b.source.startswith(f"tables/{source}"))


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        (0.3, "Units outside the programme rate units in it 0.30 points higher on"),
        (-0.3, "Units outside the programme rate units in it 0.30 points lower on"),
        (0.02, "stays open: the effect is +0.02 points"),
    ],
)
def test_the_answer_is_how_others_see_the_trained_and_follows_its_interval(programme_material, effect, said):
    blocks = blocks_of(programme_material(effect=effect))
    assert said in blocks[0].text
    assert blocks[0].style == "lead"
    low, high = effect - 1.645 * factory.SD, effect + 1.645 * factory.SD
    interval = f"{low:.2f} to {high:.2f}".replace("-", "−")
    assert interval in blocks[0].text
    # Favourable answers move 0.4 as much: 0.3 points are 12 percentage points.
    share = f"{100 * 0.4 * effect:+.1f}".replace("-", "−")
    assert f"the effect is {share} percentage points" in blocks[1].text


@pytest.mark.parametrize(
    ("effect", "words"),
    # P(> 0) and P(> 0.20), with a standard deviation of 0.05.
    [
        (0.2, ("almost certain (P\u00a0>\u00a00.99)", "about as likely as not (P\u00a0=\u00a00.50)")),
        (0.1, ("very likely (P\u00a0=\u00a00.98)", "very unlikely (P\u00a0=\u00a00.02)")),
    ],
)
def test_zero_and_the_goal_are_told_as_probabilities(programme_material, effect, words):
    text = blocks_of(programme_material(effect=effect))[1].text
    assert all(word in text for word in words)
    assert "0.20 points, the goal" in text


def test_the_other_ends_follow_the_visible_effect_in_their_order(programme_material):
    bullets = next(b for b in blocks_of(programme_material(effect=0.3)) if isinstance(b, Bullets))
    assert [item.partition(":")[0] for item in bullets.items] == [
        "How units in the programme see units outside it",
        "How units in the programme see each other",
        "What both ends together add to the sum of either alone",
    ]
    assert "+0.15 (" in bullets.items[0]
    assert "+0.45 (" in bullets.items[1]


def test_an_instrument_about_the_own_unit_tells_of_units_in_the_programme_alone(programme_material):
    blocks = blocks_of(programme_material(instrument="psychological_safety"))
    assert "In units under the programme, staff’s own answers" in lead_of(blocks)
    words = words_of(blocks)
    assert "units outside it" not in words
    assert "rate each other" not in words


@pytest.mark.parametrize("assignment", ["randomised", "observational"])
def test_assignment_stands_beside_every_effect(programme_material, assignment):
    material = programme_material(assignment=assignment, methods=ALIKE, threats=factory.all_threats())
    blocks = blocks_of(material)
    told = f"ssignment: {assignment}"
    assert told in blocks[0].text
    assert told in summary_section(material).blocks[-1].items[0]
    bullets = next(b for b in blocks if isinstance(b, Bullets))
    assert all(told in item for item in bullets.items)
    for block in blocks:
        about_effects = isinstance(block, Picture) or (
            isinstance(block, Table) and block.source.startswith("tables/programme_")
        )
        if about_effects and "exposure" not in getattr(block, "name", ""):
            assert told in block.caption, block


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_single_group_never_reads_effect(programme_material, language):
    material = programme_material(
        design="single_group",
        methods={"dyadic": 1.0},
        threats=factory.single_group_threats(),
        chosen=True,
        language=language,
    )
    section = section_of(material)
    words = section.title + words_of(section.blocks) + words_of(summary_section(material).blocks)
    assert not EFFECT_WORD.findall(words)
    # The same words would be found: a study with a comparison has them.
    compared = programme_material(design="two_waves", language=language)
    assert EFFECT_WORD.search(words_of(blocks_of(compared)))


@pytest.mark.parametrize(
    ("chosen", "said"), [(True, "were chosen because"), (False, "if units began because")]
)
def test_a_single_group_names_what_its_change_does_not_show(programme_material, chosen, said):
    blocks = blocks_of(programme_material(design="single_group", chosen=chosen))
    place = next(
        n
        for n, b in enumerate(blocks)
        if isinstance(b, Heading) and b.text == "What this change does not show"
    )
    events, trends, regression, comparison = blocks[place + 1].items
    assert "Everything else that happened" in events
    assert "with 1 wave before the start" in trends
    assert said in regression
    assert "No comparison" in comparison
    assert "parallel trends" not in words_of(blocks)
    assert "This is a change" in lead_of(blocks)


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        ("one_treated_cluster", "one district alone is under the programme"),
        ("one_comparison_cluster", "one district alone is there to be compared with"),
    ],
)
def test_a_refused_design_shows_no_number(programme_material, refused, said):
    material = programme_material(
        refused=refused, design="two_waves", methods=ALIKE, threats=factory.all_threats()
    )
    blocks = blocks_of(material)
    assert said in lead_of(blocks)
    assert "ups and downs cannot be told from an effect" in lead_of(blocks)
    sources = {b.source for b in blocks if isinstance(b, Table)}
    assert sources == {"tables/programme_designs.csv", ""}
    assert set(pictures_of(blocks)) == {"programme_exposure"}
    # The tables hold 0.30 and more, but not a figure with decimals is told, nor how it was estimated.
    assert not re.search(r"\d\.\d|percentage points \(|interval \d|Bayesian", words_of(blocks))
    assert said in words_of(summary_section(material).blocks)


def test_rows_that_are_suppressed_are_neither_drawn_nor_told(programme_material, tmp_path):
    """Even if a figure were left in them."""
    programme_material(methods=ALIKE, threats=factory.all_threats())
    for name in ("effects", "relation_types", "comparisons", "weights", "threats"):
        path = tmp_path / "public" / "tables" / f"programme_{name}.csv"
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        gone = table["estimand"] == "rater_end"
        if name == "effects":
            gone |= table["aggregate"].isin(["dynamic", "group", "cell", "calendar"])
        if name == "comparisons":
            gone |= table["estimand"] == "both_ends"
        if name == "threats":
            gone = table["threat"] == "dropout"
        table.loc[gone, "suppressed"] = "true"
        table.to_csv(path, index=False)
    blocks = blocks_of(_read_again(tmp_path))
    pictures = pictures_of(blocks)
    assert "programme_course" not in pictures
    assert "How units in the programme see units outside it" not in words_of(blocks)
    panels = [ax.get_title() for ax in pictures["programme_comparisons"].draw(LIGHT).axes]
    assert panels == [
        "How units outside the programme see units in it",
        "What both ends together add to the sum of either alone",
    ]
    (axes,) = pictures["programme_threats"].draw(LIGHT).axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert "Anticipation" in labels
    assert not any("Dropout" in label for label in labels)
    assert "5 rows of checks are hidden" in words_of(blocks)
    assert "Some rows are hidden" in words_of(blocks)


def _read_again(folder):
    from relcap_models.language import load_texts
    from relcap_models.report.material import Material
    from relcap_models.report.results import read_results

    results = read_results(folder)
    return Material(results, load_texts(results.context["report"]["language"]))


def test_leaders_get_the_answer_and_its_course_alone(programme_material):
    material = programme_material(audience="leader", methods=ALIKE, threats=factory.all_threats())
    blocks = blocks_of(material)
    assert set(pictures_of(blocks)) == {"programme_course"}
    assert not any(isinstance(b, Table) for b in blocks)
    assert "Units outside the programme rate" in lead_of(blocks)


def test_effects_by_type_of_relation_have_a_table_of_those_that_are_shown(programme_material):
    table = table_of(blocks_of(programme_material()), "programme_relation_types")
    of_target = [row for row in table.rows if row[0].text.startswith("How units outside the programme")]
    assert [(row[1].text, row[2].text, row[3].text[:5]) for row in of_target] == [
        ("leaders", "employees", "+0.30"),
        ("employees", "leaders", "+0.40"),
    ]


def test_a_programme_is_in_the_report_and_the_report_does_not_deny_it(programme_material):
    material = programme_material(engine="fast")
    assert is_approximate(material)
    assert "programme-effect-1" in {section.id for section in sections_of(material)}
    said = words_of(not_done_section(material).blocks)
    assert "no programme was evaluated" not in said
    assert "No causal claim is made but those about programmes" in said


def test_a_study_without_programmes_has_no_section(tmp_path, write_results):
    write_results(tmp_path)
    assert programme_sections(_read_again(tmp_path)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_figure_can_be_drawn_on_both_papers_and_on_a_phone(programme_material, language):
    from dataclasses import replace

    threats = pd.concat([factory.all_threats()[:-1], factory.selection()])
    material = programme_material(methods=ALIKE, threats=threats, language=language, separate=True)
    pictures = pictures_of(blocks_of(material))
    assert set(pictures) == {
        "programme_course",
        "programme_exposure",
        "programme_comparisons",
        "programme_threats",
        "programme_trends",
        "programme_shift",
        "programme_tipping",
        "programme_selection",
    }
    theme = {"en": LIGHT, "da": DARK, "nb": replace(LIGHT, narrow=True)}[language]
    assert all(len(png(picture.draw, theme)) > 3000 for picture in pictures.values())
