"""Effects of relations and respondents have the moments that were asked for."""

import numpy as np
import pytest

from relcap_models.simulate.effect_options import Climate, Relations
from relcap_models.simulate.effects import relation_effects, respondent_effects
from relcap_models.simulate.gaussian import wave_correlation
from relcap_models.simulate.survey_options import Departures

RC, PS = "relational_capacity", "psychological_safety"
Z = 4.5


@pytest.fixture(scope="module")
def pairs(instruments, many_units, waves):
    """(wave, side, pair, dimension) relation effects of all 11,175 pairs of 150 units."""

    def build(options: Relations, departures: Departures | None = None) -> np.ndarray:
        roster = many_units(150, waves)
        effects = relation_effects(options, departures or Departures(), instruments[RC], roster, seed=5)
        first, second = np.triu_indices(150, 1)
        assert not effects[:, np.arange(150), np.arange(150)].any()
        return np.stack([effects[:, first, second], effects[:, second, first]], axis=1)

    return build


def fisher(sample: float, truth: float, n: int) -> float:
    """Distance in standard errors."""
    return abs(np.arctanh(sample) - np.arctanh(truth)) * np.sqrt(n - 3)


def test_relations_have_the_variance_and_dyadic_reciprocity_of_each_dimension(pairs):
    effects = pairs(Relations(sd_relation=(0.45, 0.8), dyadic_reciprocity=(0.6, -0.3)))[0]
    n = effects.shape[1]
    for d, (sd, rho) in enumerate([(0.45, 0.6), (0.8, -0.3)]):
        there, back = effects[:, :, d]
        assert abs(there.var() - sd**2) < Z * sd**2 * np.sqrt(2 / n)
        assert abs(back.var() - sd**2) < Z * sd**2 * np.sqrt(2 / n)
        assert fisher(np.corrcoef(there, back)[0, 1], rho, n) < Z
        assert abs(there.mean()) < Z * sd / np.sqrt(n)


def test_the_order_of_a_pair_does_not_matter(pairs):
    """Exchangeable: both sides have the same correlation across dimensions, and so has the pair crosswise."""
    effects = pairs(Relations())[0]
    n = effects.shape[1]
    there, back = effects
    for side in (there, back):
        assert fisher(np.corrcoef(side[:, 0], side[:, 1])[0, 1], 0.7, n) < Z
    for one, other in ((0, 1), (1, 0)):
        assert fisher(np.corrcoef(there[:, one], back[:, other])[0, 1], 0.4 * 0.7, n) < Z


@pytest.mark.parametrize("rho", [-1.0, 1.0])
def test_reciprocity_reaches_its_ends(pairs, rho):
    there, back = pairs(Relations(dyadic_reciprocity=rho))[0]
    assert np.allclose(back, rho * there)


def test_relations_are_as_stable_over_waves_as_asked(pairs):
    effects = pairs(Relations(stability_relation=0.3, autocorrelation=0.5))[:, 0, :, 0]
    truth = wave_correlation(3, 0.3, 0.5)
    sample = np.corrcoef(effects)
    for a, b in ((0, 1), (1, 2), (0, 2)):
        assert fisher(sample[a, b], truth[a, b], effects.shape[1]) < Z


def test_heavy_tails_keep_variance_and_reciprocity(pairs):
    there, back = pairs(Relations(), Departures(tail_df=6))[0][:, :, 0]
    n = len(there)
    # Kurtosis 6 doubles and more the sampling variance of a variance: (6 − 1)/n; of a correlation likewise.
    assert abs(there.var() / 0.45**2 - 1) < Z * np.sqrt(5 / n)
    assert fisher(np.corrcoef(there, back)[0, 1], 0.4, n) < Z * np.sqrt(5 / 2)


def test_leniency_is_shared_across_instruments_as_asked(instruments, many_units, waves):
    n = 8000
    roster = many_units(n, waves[:1])
    leniency = {}
    for options, name in ((Relations(sd_respondent=0.6), RC), (Climate(sd_respondent=0.9), PS)):
        leniency[name] = respondent_effects(
            options,
            Departures(),
            instruments[name],
            roster,
            shared_leniency=0.5,
            waves=waves[:1],
            seed=9,
        ).stable
    for name, sd in ((RC, 0.6), (PS, 0.9)):
        assert (np.abs(leniency[name].var(axis=0) - sd**2) < Z * sd**2 * np.sqrt(2 / n)).all()
        assert fisher(np.corrcoef(leniency[name].T)[0, 1], 0.7, n) < Z
    for a in range(2):
        for b in range(2):
            assert fisher(np.corrcoef(leniency[RC][:, a], leniency[PS][:, b])[0, 1], 0.5, n) < Z
