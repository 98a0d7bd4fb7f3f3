"""Regressions among latent variables of units: coefficients come back from measurements with error."""

import numpy as np
import pytest

from relcap_models.errors import FitError
from relcap_models.inference.unit_model import Equation, Measured, Observed, sample_unit_model

U, ERROR = 400, 0.3


def measured(names, values, rng):
    noise = rng.normal(0.0, ERROR, values.shape)
    precision = np.repeat(np.eye(values.shape[1])[None] / ERROR**2, len(values), axis=0)
    return Measured(tuple(map(str, range(len(values)))), names, values + noise, precision)


def test_products_layers_and_outcomes_are_recovered():
    rng = np.random.default_rng(1)
    complexity = rng.normal(size=U)
    above = np.zeros((U, U))
    above[np.arange(40, U), rng.integers(0, 40, U - 40)] = 1.0
    leadership = rng.normal(0.0, 0.6, U)
    leadership = leadership + 0.5 * above @ leadership
    capacity = 0.4 * leadership + 0.3 * leadership * complexity + rng.normal(0.0, 0.3, U)
    n = np.full(U, 30.0)
    share = 1 / (1 + np.exp(-(0.2 + 0.9 * capacity)))
    successes = rng.binomial(30, share).astype(float)
    days = rng.poisson(5.0 * np.exp(-0.6 * capacity + rng.normal(0.0, 0.2, U))).astype(float)
    content = 2.0 * capacity + rng.normal(0.0, 0.3, U)
    everybody = np.ones(U, dtype=bool)
    terms = (("leadership",), ("complexity",), ("leadership", "complexity"))
    found = sample_unit_model(
        measured(("capacity", "leadership"), np.column_stack([capacity, leadership]), rng),
        [
            Equation("capacity", terms),
            Equation("leadership", (("leadership above",),)),
            *(Equation(outcome, (("capacity",),)) for outcome in ("content", "served", "absence")),
        ],
        attributes={"complexity": complexity},
        outcomes={
            "content": Observed("gaussian", content, everybody, n, np.full(U, 0.2)),
            "served": Observed("binomial", successes, everybody, n, n),
            "absence": Observed("count", days, everybody, np.ones(U), np.ones(U)),
        },
        above=above,
        seed=1,
        chains=2,
        draws=500,
        tune=500,
    )
    truth = {
        "capacity ~ leadership": 0.4,
        "capacity ~ complexity": 0.0,
        "capacity ~ leadership × complexity": 0.3,
        "leadership ~ leadership above": 0.5,
        "content ~ capacity": 2.0 / content.std(ddof=1),
        "served ~ capacity": 0.9,
        "absence ~ capacity": -0.6,
    }
    assert set(found) == set(truth)
    for name, value in truth.items():
        # Least squares on the measurements would halve what leadership does: its reliability is .8 or less.
        assert abs(found[name].mean() - value) < 3 * found[name].std(), name
        assert found[name].std() < 0.15, name


def test_measurements_are_the_posterior_without_its_prior():
    rng = np.random.default_rng(2)
    prior = np.array([[0.4, 0.1], [0.1, 0.3]])
    value, error = np.array([0.5, -0.3]), np.array([[0.05, 0.01], [0.01, 0.08]])
    posterior = np.linalg.inv(np.linalg.inv(prior) + np.linalg.inv(error))
    mean = posterior @ np.linalg.inv(error) @ value
    draws = rng.multivariate_normal(mean, posterior, size=200_000)[:, None]
    found = Measured.of_draws(("u",), ("a", "b"), draws, prior)
    # 200,000 draws: covariances to about .5 %.
    np.testing.assert_allclose(found.mean[0], value, atol=0.02)
    np.testing.assert_allclose(np.linalg.inv(found.precision[0]), error, rtol=0.1, atol=0.003)


def test_regressions_in_a_circle_are_refused():
    known = measured(("a", "b"), np.zeros((5, 2)), np.random.default_rng(3))
    with pytest.raises(FitError, match="circle"):
        sample_unit_model(
            known,
            [Equation("a", (("b",),)), Equation("b", (("a",),))],
            attributes={},
            seed=1,
            draws=10,
            tune=10,
        )
