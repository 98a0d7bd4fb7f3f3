"""Naive estimates of the leadership link are those of statsmodels on unit means made by hand."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from relcap_models.estimands.leadership_link.mixed import mixed_link
from relcap_models.estimands.leadership_link.naive import naive_link
from relcap_models.estimands.leadership_link.rows import COLUMNS
from relcap_models.estimands.leadership_link.unit_means import unit_covariates
from tests.estimands.leadership_link.worlds import design, linked, scored


def made_by_hand(frame, score, leadership=1):
    """A row for each unit and wave: leader, outcome, perceiver; and one for each relation and wave."""
    table = pd.DataFrame(
        {
            "facet": frame.facet_of_rating,
            "rater": frame.rater_of_rating,
            "unit": frame.target_of_rating,
            "wave": frame.wave_of_rating,
            "score": score,
        }
    )
    relations = table[table["facet"] == 0].groupby(["rater", "unit", "wave"], as_index=False)["score"].mean()
    means = pd.DataFrame(
        {
            "leader": table[table["facet"] == leadership].groupby(["unit", "wave"])["score"].mean(),
            "outcome": relations.groupby(["unit", "wave"])["score"].mean(),
            "perceiver": relations.rename(columns={"unit": "of", "rater": "unit"})
            .groupby(["unit", "wave"])["score"]
            .mean(),
        }
    )
    return means.dropna().reset_index(), relations


def row_of(table, **cell):
    for name, value in cell.items():
        table = table[table[name] == value]
    (row,) = table.to_dict("records")
    return row


def linked_case(n_waves, **options):
    model, frame = design(16, 6, n_waves, **options)
    answered = linked(0.5).answers(frame, np.random.default_rng(2))
    return model, answered, scored(answered)


@pytest.mark.parametrize("adjusted", [False, True])
def test_between_units_it_is_least_squares_with_hc3_errors(adjusted):
    model, frame, score = linked_case(1, covariates=("size",))
    table = naive_link(model, frame, {"points": score}, ci_prob=0.9)
    means, _ = made_by_hand(frame, score)
    means["size"] = unit_covariates(frame)[means["unit"], 0]
    formula = "outcome ~ leader + size" + (" + perceiver" if adjusted else "")
    plain = smf.ols(formula, means).fit(cov_type="HC3", use_t=True)
    found = row_of(table, predictor="relational_leadership", adjusted=adjusted)
    assert found["per_point"] == pytest.approx(plain.params["leader"])
    sd = means["leader"].std()
    assert found["mean"] == pytest.approx(plain.params["leader"] * sd)
    assert found["sd"] == pytest.approx(plain.bse["leader"] * sd)
    limits = plain.conf_int(alpha=0.1).loc["leader"]
    assert [found["per_point_lower"], found["per_point_upper"]] == pytest.approx(limits.tolist())
    assert [found["lower"], found["upper"]] == pytest.approx((limits * sd).tolist())
    assert found["n_units"] == len(means)
    assert list(table) == COLUMNS


def test_over_waves_units_means_and_deviations_are_apart():
    model, frame, score = linked_case(3)
    table = naive_link(model, frame, {"latent": score}, ci_prob=0.95)
    means, _ = made_by_hand(frame, score)
    whole = means.groupby("unit").filter(lambda unit: len(unit) == 3)
    assert len(whole) == len(means), "the design is balanced"
    between = smf.ols("outcome ~ leader + perceiver", means.groupby("unit").mean()).fit(
        cov_type="HC3", use_t=True
    )
    found = row_of(table, predictor="relational_leadership", adjusted=True, level="between")
    assert [found["mean"], found["sd"]] == pytest.approx([between.params["leader"], between.bse["leader"]])
    own = means.groupby("unit")[["outcome", "leader", "perceiver"]].transform("mean")
    moved = means[["unit", "wave"]].join(means[own.columns] - own)
    # All units have all waves, so that their dummies need no demeaning.
    within = smf.ols("outcome ~ leader + perceiver + C(wave)", moved).fit(
        cov_type="cluster", cov_kwds={"groups": moved["unit"]}, use_t=True
    )
    found = row_of(table, predictor="relational_leadership", adjusted=True, level="within")
    assert found["mean"] == pytest.approx(within.params["leader"])
    # Demeaned variables have no constant: one coefficient less in statsmodels' small-sample factor.
    n, k = len(moved), len(within.params)
    factor = np.sqrt((n - k) / (n - k + 1))
    assert found["sd"] == pytest.approx(within.bse["leader"] * factor)
    assert np.isnan(found["per_point"])


def test_units_that_miss_waves_are_freed_of_wave_effects():
    """The outcome rises by 2 in wave 2; a unit seen then alone is not better for it."""
    model, frame, score = linked_case(2)
    score = score + 2.0 * ((frame.facet_of_rating == 0) & (frame.wave_of_rating == 1))
    gone = (frame.target_of_rating < 5) & (frame.wave_of_rating == 0) & (frame.facet_of_rating > 0)
    with_gaps = {"points": np.where(gone, np.nan, score)}
    table = naive_link(model, frame, with_gaps, ci_prob=0.95)
    means, _ = made_by_hand(frame, with_gaps["points"])
    found = row_of(table, predictor="relational_leadership", adjusted=False, level="between")
    effects = {
        v: smf.ols(f"{v} ~ C(unit) - 1 + C(wave)", means).fit().params.filter(like="unit")
        for v in ("leader", "outcome")
    }
    assert found["per_point"] == pytest.approx(np.polyfit(effects["leader"], effects["outcome"], 1)[0])
    # Of 16 units 5 are seen in one wave.
    assert row_of(table, predictor="relational_leadership", adjusted=False, level="within")["n_units"] == 11


def test_the_mixed_model_is_that_of_statsmodels_with_both_levels_apart():
    model, frame, score = linked_case(2)
    table = mixed_link(model, frame, {"points": score}, ci_prob=0.95)
    means, relations = made_by_hand(frame, score)
    means["level"] = means.groupby("unit")["leader"].transform("mean")
    means["change"] = means["leader"] - means["level"]
    rows = relations.merge(means, on=["unit", "wave"])
    plain = smf.mixedlm("score ~ level + change + C(wave)", rows, groups=rows["unit"]).fit()
    for level, name in (("between", "level"), ("within", "change")):
        found = row_of(table, predictor="relational_leadership", adjusted=False, level=level)
        assert found["method"] == "mixed"
        assert found["per_point"] == pytest.approx(plain.params[name], rel=1e-4)
        assert found["sd"] / found["mean"] == pytest.approx(plain.bse[name] / plain.params[name], rel=1e-3)


def test_ratings_of_the_own_unit_are_unadjusted_and_have_no_mixed_model():
    model, frame, score = linked_case(1, source="same")
    table = naive_link(model, frame, {"points": score}, ci_prob=0.95)
    assert not table["adjusted"].any()
    assert set(table["source"]) == {"same"}
    assert mixed_link(model, frame, {"points": score}, ci_prob=0.95).empty


def test_respondents_who_rate_leaders_units_or_others_count_once():
    model, frame, score = linked_case(1)
    table = naive_link(model, frame, {"points": score}, ci_prob=0.95)
    used = frame.facet_of_rating <= 1
    n = len(np.unique(frame.respondent_of_rating[used]))
    assert row_of(table, predictor="relational_leadership", adjusted=True)["n_respondents"] == n
