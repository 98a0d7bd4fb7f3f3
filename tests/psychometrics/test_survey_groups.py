"""Items that a language or layer answers in its own way, and what that does to means."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.psychometrics.survey.answers import Answers
from relcap_models.psychometrics.survey.equality import equalities
from relcap_models.psychometrics.survey.item_bias import bias_rows
from relcap_models.psychometrics.survey.mean_impact import impact_rows
from relcap_models.psychometrics.survey.notes import Notes
from relcap_models.schema import load_instrument

CUTS = np.array([-3.0, -1.2, 0.8, 2.8])
N_UNITS = 40


def answers_of(seed, *, shift=0.0, n=1200):
    """Two dimensions of three items in 40 units, whose own ways to answer differ too.

    English speakers, a third of each unit, stand half a standard deviation higher in both; they answer PS5
    higher by `shift` on the logistic scale. The first eight units are leaders'.
    """
    rng = np.random.default_rng(seed)
    unit = rng.integers(N_UNITS, size=n)
    english = rng.random(n) < 1 / 3
    common = 0.5 * rng.normal(size=N_UNITS)[unit] + 0.6 * rng.normal(size=n) + 0.5 * english
    columns, own = {}, np.zeros(n)
    for k in range(6):
        own = 0.5 * rng.normal(size=n) if k in (0, 3) else own
        z = 1.8 * (common + own) + 0.3 * rng.normal(size=N_UNITS)[unit] + rng.logistic(size=n)
        z = z + shift * english * (k == 4)
        columns[f"PS{k + 1}"] = 1.0 + (z[:, None] > CUTS).sum(axis=1)
    about = pd.DataFrame(
        {
            "wave": "w1",
            "respondent": np.arange(n),
            "rater_unit": unit,
            "target_unit": unit,
            "language": np.where(english, "en", "da"),
            "layer": np.where(unit < 8, "leaders", "employees"),
        }
    )
    return Answers(load_instrument("psychological_safety"), pd.DataFrame(columns), about)


def biases(answers, notes=None):
    return pd.DataFrame(bias_rows(answers, notes or Notes("safety"), ci_prob=0.9))


def test_groups_that_differ_in_where_they_stand_show_no_bias():
    table = biases(answers_of(1))
    assert set(table["across"]) == {"language", "layer"}
    assert set(table["reference"]) == {"da", "employees"}
    assert len(table) == 12
    assert table[["p_uniform_adjusted", "p_nonuniform_adjusted"]].min(axis=None) > 0.05
    # Half a standard deviation is some .4 points; .15 is three of the errors of a language's item.
    assert table.loc[table["across"] == "language", "difference"].abs().max() < 0.15
    assert table["r2"].max() < 0.01


def test_an_item_answered_in_a_languages_own_way_is_found_with_its_size():
    answers = answers_of(3, shift=1.5)
    table = biases(answers).query("across == 'language'").set_index("item")
    assert table.loc["PS5", "p_uniform_adjusted"] < 0.001
    # What the shift adds to the answers of English speakers.
    truth = (answers.items["PS5"] - answers_of(3).items["PS5"])[answers.about["language"] == "en"].mean()
    assert table.loc["PS5", "lower"] < truth < table.loc["PS5", "upper"]
    # The others do not seem to differ the other way, although the item is a part of their score.
    assert (table.drop(index="PS5")["p_uniform_adjusted"] > 0.05).all()
    assert table.drop(index="PS5")["difference"].abs().max() < 0.15


def test_with_three_items_two_that_differ_alike_are_told_as_one_that_does_not():
    """Two of three answered higher: the items cannot say so, and the fewest differ."""
    answers = answers_of(3, shift=1.5)
    english = answers.about["language"] == "en"
    rng = np.random.default_rng(1)
    raised = answers.items["PS6"] + (english & (rng.random(len(english)) < 0.6))
    items = answers.items.assign(PS6=raised.clip(upper=5))
    table = biases(Answers(answers.instrument, items, answers.about)).query("across == 'language'")
    assert table.set_index("item").loc["PS4", "difference"] < -0.3


def test_ratings_of_one_unit_count_as_one_however_often_they_are_repeated():
    once = answers_of(3, shift=0.5)
    many = Answers(
        once.instrument, *(pd.concat([part] * 4, ignore_index=True) for part in (once.items, once.about))
    )
    one, four = biases(once), biases(many)
    # Rare categories are merged by count, so that the scores from other items differ a little.
    np.testing.assert_allclose(four["difference"], one["difference"], atol=0.02)
    width = [(t["upper"] - t["lower"]).to_numpy() for t in (one, four)]
    np.testing.assert_allclose(width[1], width[0], rtol=0.1)
    np.testing.assert_allclose(four["p_uniform"], one["p_uniform"], atol=0.05)


def test_p_values_are_adjusted_over_the_items_of_a_split():
    table = biases(answers_of(4, shift=0.6)).query("across == 'language'")
    ordered = np.sort(table["p_uniform"])
    by_hand = np.minimum.accumulate((ordered * 6 / np.arange(1, 7))[::-1])[::-1]
    np.testing.assert_allclose(np.sort(table["p_uniform_adjusted"]), by_hand)


def test_a_layer_of_few_units_is_left_out_and_said():
    answers = answers_of(5)
    few = answers.about["rater_unit"] < 4
    answers = Answers(
        answers.instrument,
        answers.items,
        answers.about.assign(layer=np.where(few, "leaders", "employees"), language=np.nan),
    )
    notes = Notes("safety")
    assert biases(answers, notes).empty
    assert (
        "safety",
        "layer",
        "leaders",
        "not_estimated",
        "dif",
        "it has 4 rater units, too few",
    ) in notes.rows


def impacts(answers):
    notes = Notes("safety")
    rows = [(e, list(impact_rows(e, notes))) for e in equalities(answers, notes)]
    return {e.split: (e, pd.DataFrame(found)) for e, found in rows}, notes


def test_the_impact_of_an_item_that_means_something_else_is_what_it_adds_to_the_mean():
    found, _ = impacts(answers_of(3, shift=1.5))
    equality, table = found["language"]
    assert equality.held("loadings")
    assert not equality.held("intercepts")
    table = table.set_index("dimension")
    assert table.loc["synergy", "items"] == "PS5"
    assert table.loc["safety", "items"] == ""
    assert set(table["reference"]) == {"da"}
    np.testing.assert_allclose(table["partial"] - table["equal"], table["impact"])
    # The English stand .5 higher, of a standard deviation of √(.25 + .36 + .25), in both dimensions.
    assert table.loc["synergy", "partial"] == pytest.approx(0.5 / np.sqrt(0.86), abs=0.25)
    assert table.loc["synergy", "impact"] < -0.2
    assert abs(table.loc["safety", "impact"]) < 0.02


def test_where_intercepts_are_equal_there_is_nothing_to_free():
    found, _ = impacts(answers_of(1))
    equality, table = found["language"]
    assert equality.held("intercepts")
    assert table.empty


def test_fewer_than_half_of_a_dimension_are_freed():
    answers = answers_of(6, shift=1.5)
    english = answers.about["language"] == "en"
    items = answers.items.assign(PS6=answers.items["PS6"].where(~english, answers.items["PS6"].clip(upper=3)))
    found, _ = impacts(Answers(answers.instrument, items, answers.about))
    _, table = found["language"]
    assert all(len(names.split(", ")) == 1 for names in table["items"] if names)
    assert table["items"].str.contains("PS[56]").any()
