"""Departures that models do not assume show in the answers, and only when asked for."""

import pandas as pd
import pytest

from relcap_models.simulate import Simulated, Simulation, simulate

RC, PS = "relational_capacity", "psychological_safety"


@pytest.fixture(scope="module")
def run(instruments, waves):
    def build(**departures: float) -> Simulated:
        block = {
            "organisation": {"n_respondents": 1500, "turnover": 0.0},
            "nonresponse": {"unit": 0.0, "item": 0.0, "dont_know": 0.0, "dont_know_asynchronous": 0.0},
            "departures": departures,
        }
        chosen = {name: instruments[name] for name in (RC, PS)}
        return simulate(Simulation.model_validate(block), instruments=chosen, waves=waves[:2], seed=23)

    return build


def numbers(simulated: Simulated) -> pd.DataFrame:
    responses = simulated.tables["responses"]
    return responses.assign(value=responses["value"].astype(float))


@pytest.mark.parametrize("style", ["extreme", "midpoint", "acquiescent"])
def test_styles_belong_to_the_share_of_people_asked_for_and_to_nobody_else(run, style):
    plain, styled = numbers(run()), run(**{style: 0.25})
    table = styled.truth["respondent_styles"].set_index("respondent_id")["style"]
    assert abs((table == style).mean() - 0.25) < 4.5 * (0.25 * 0.75 / 1500) ** 0.5
    assert set(table) == {"none", style}
    mine = plain["respondent_id"].map(table) == style
    after = numbers(styled)["value"]
    assert (plain["value"] == after)[~mine].all()
    before, after = plain.loc[mine, "value"], after[mine]
    ends = [series.isin([1, 5]).mean() for series in (before, after)]
    if style == "extreme":
        assert ends[1] > ends[0] + 0.1
    elif style == "midpoint":
        assert ends[1] < ends[0] - 0.1
    else:
        assert (after >= before).all()
        assert after.mean() > before.mean() + 0.2


def test_a_bad_day_moves_all_instruments_of_one_wave_together(run):
    def correlation(simulated: Simulated) -> float:
        """Between a person's changes from wave to wave in two instruments, which noise alone leaves at 0."""
        means = numbers(simulated).groupby(["instrument", "respondent_id", "wave"])["value"].mean().unstack()
        change = (means["w2"] - means["w1"]).unstack("instrument")
        return float(change.corr().iloc[0, 1])

    noise = 4.5 / 1500**0.5
    assert abs(correlation(run())) < noise
    assert correlation(run(sd_occasion=0.8)) > 0.3


def test_the_occasions_stand_in_the_truth(run):
    truth = run(sd_occasion=0.8).truth["respondent_wave_effects"]
    days = truth.drop_duplicates(["wave", "respondent_id"])["occasion"]
    assert abs(days.std() - 0.8) < 4.5 * 0.8 / (2 * len(days)) ** 0.5
    assert "respondent_wave_effects" not in run().truth


def test_halo_draws_dimensions_together(run):
    def correlation(simulated: Simulated) -> float:
        rows = numbers(simulated)
        rows = rows[rows["instrument"] == RC].assign(first=rows["item"].isin(["RC1", "RC2", "RC3"]))
        means = rows.groupby(["wave", "respondent_id", "target_unit", "first"])["value"].mean().unstack()
        return float(means.corr().iloc[0, 1])

    assert correlation(run(halo=0.9)) > correlation(run()) + 0.05
