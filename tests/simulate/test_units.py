"""Unit effects have the covariance that was asked for."""

import numpy as np
import pytest

from relcap_models.errors import ConfigError
from relcap_models.simulate import Simulation
from relcap_models.simulate.gaussian import wave_correlation
from relcap_models.simulate.units import CLIMATE, UnitEffects, draw_unit_effects

N = 6000
RC, PS, RL = "relational_capacity", "psychological_safety", "relational_leadership"
Z = 4.5
"""Standard errors allowed: with some hundred comparisons a right simulator fails once in a thousand seeds."""


@pytest.fixture(scope="module")
def draw(instruments, many_units, waves):
    def effects(n_waves: int = 1, **options: object) -> UnitEffects:
        roster = many_units(N, waves[:n_waves])
        return draw_unit_effects(Simulation.model_validate(options), instruments, roster, seed=3)

    return effects


def close_correlation(sample: np.ndarray, truth: np.ndarray | float, n: int) -> np.ndarray:
    """Sample correlation within Z standard errors of the truth, on Fisher's scale (se 1/√(n − 3))."""
    return np.abs(np.arctanh(sample) - np.arctanh(truth)) < Z / np.sqrt(n - 3)


def close_variance(sample: np.ndarray, truth: np.ndarray | float, n: int) -> np.ndarray:
    return np.abs(sample - truth) < Z * truth * np.sqrt(2 / n)


def test_spreads_and_generalised_reciprocity_are_those_asked_for(draw):
    asked = {"sd_perceiver": (0.3, 0.5), "sd_target": 0.4, "sd_self": 0.6, "generalised_reciprocity": -0.4}
    effects = draw(relations=asked).effects
    perceiver, target, own = (effects[RC, role][0] for role in ("perceiver", "target", "self"))
    assert close_variance(perceiver.var(axis=0), np.array([0.09, 0.25]), N).all()
    assert close_variance(target.var(axis=0), 0.16, N).all()
    assert close_variance(own.var(axis=0), 0.36, N).all()
    for d in range(2):
        assert close_correlation(np.corrcoef(perceiver[:, d], target[:, d])[0, 1], -0.4, N)
    # Across roles and dimensions at once: the product of both correlations.
    assert close_correlation(np.corrcoef(perceiver[:, 0], target[:, 1])[0, 1], -0.4 * 0.7, N)
    assert close_correlation(np.corrcoef(target[:, 0], target[:, 1])[0, 1], 0.7, N)


def test_effects_are_as_stable_over_waves_as_asked(draw):
    effects = draw(n_waves=3, relations={"stability_unit": 0.5, "autocorrelation": 0.4}).effects
    target = effects[RC, "target"][:, :, 0]
    truth = wave_correlation(3, 0.5, 0.4)
    # 0.5 + 0.5·0.4 and 0.5 + 0.5·0.16, worked out by hand.
    assert truth[0, 1] == pytest.approx(0.7)
    assert truth[0, 2] == pytest.approx(0.58)
    sample = np.corrcoef(target)
    off = ~np.eye(3, dtype=bool)
    assert close_correlation(sample[off], truth[off], N).all()
    assert close_variance(target.var(axis=1), 0.16, N).all()


LINKED = {
    "leniency": 0.5,
    "paths": [
        {"source": RL, "to": PS, "coefficient": 0.4},
        {"source": RL, "to": "target", "coefficient": 0.6},
        {"source": PS, "to": "perceiver", "coefficient": 0.3},
    ],
}


def test_the_covariance_written_down_is_that_of_the_draws(draw):
    drawn = draw(climate=LINKED)
    sample = np.cov(np.concatenate([e[0] for e in drawn.effects.values()], axis=1), rowvar=False)
    truth = drawn.covariance
    error = np.sqrt((np.outer(np.diag(truth), np.diag(truth)) + truth**2) / N)
    assert (np.abs(sample - truth) < Z * error).all()


def slopes(outcome: np.ndarray, *predictors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    design = np.column_stack([np.ones(len(outcome)), *predictors])
    coefficients, residual, *_ = np.linalg.lstsq(design, outcome, rcond=None)
    error = residual[0] / (len(outcome) - design.shape[1]) * np.linalg.inv(design.T @ design)
    return coefficients[1:], np.sqrt(np.diag(error))[1:]


def test_the_link_from_leadership_to_target_is_found_when_leniency_is_held_constant(draw):
    effects = draw(climate=LINKED).effects
    target = effects[RC, "target"][0].mean(axis=1)
    perceiver = effects[RC, "perceiver"][0].mean(axis=1)
    leadership = effects[RL, CLIMATE][0].mean(axis=1)
    (link, _), (error, _) = slopes(target, leadership, perceiver)
    assert abs(link - 0.6) < Z * error


def test_lenient_staff_and_reciprocity_fake_a_link_where_there_is_none(draw):
    effects = draw(climate={"leniency": 1.0}, relations={"generalised_reciprocity": 0.5}).effects
    target = effects[RC, "target"][0].mean(axis=1)
    perceiver = effects[RC, "perceiver"][0].mean(axis=1)
    leadership = effects[RL, CLIMATE][0].mean(axis=1)
    (naive,), (error,) = slopes(target, leadership)
    assert naive > 10 * error
    (link, _), (error, _) = slopes(target, leadership, perceiver)
    assert abs(link) < Z * error


def test_heavy_tails_keep_the_covariance(draw):
    normal, heavy = draw(), draw(departures={"tail_df": 6.0})
    assert np.array_equal(normal.covariance, heavy.covariance)
    effect = heavy.effects[RC, "target"][0][:, 0] / 0.4
    # A t variable with 6 df scaled to variance 1 has kurtosis 6; that of a normal variable is 3.
    assert abs(effect.var() - 1) < Z * np.sqrt((6 - 1) / N)
    assert (effect**4).mean() > 4


def test_unknown_ends_of_paths_are_all_named_at_once(draw):
    paths = [
        {"source": "leadership", "to": "target", "coefficient": 1},
        {"source": RL, "to": "targets", "coefficient": 1},
    ]
    with pytest.raises(ConfigError) as error:
        draw(climate={"paths": paths})
    assert len(error.value.problems) == 2
    assert "'leadership'" in str(error.value)
    assert "'targets'" in str(error.value)


def test_paths_in_a_circle_are_refused(draw):
    paths = [
        {"source": RL, "to": PS, "coefficient": 1},
        {"source": PS, "to": RL, "coefficient": 1},
    ]
    with pytest.raises(ConfigError, match="circle"):
        draw(climate={"paths": paths})


def test_a_number_for_each_dimension_must_fit_the_instrument(draw):
    with pytest.raises(ConfigError, match=r"relations\.sd_target.*3 numbers.*2 dimensions"):
        draw(relations={"sd_target": (0.1, 0.2, 0.3)})
