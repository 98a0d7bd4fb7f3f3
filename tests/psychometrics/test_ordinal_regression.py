"""Ordinal regression finds statsmodels' maximum, and its errors respect clusters."""

import numpy as np
import pytest
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.tools.numdiff import approx_fprime

from relcap_models.psychometrics.ordinal_regression import (
    _at,
    cluster_covariance,
    expected_answers,
    ordinal_regression,
)


def simulated(seed, n=800, n_clusters=20, spread=0.0):
    rng = np.random.default_rng(seed)
    cluster = rng.integers(n_clusters, size=n)
    design = np.column_stack([rng.normal(size=n), (cluster < n_clusters // 3).astype(float)])
    eta = design @ [1.2, 0.3] + spread * rng.normal(size=n_clusters)[cluster]
    codes = (rng.logistic(size=n) + eta > np.array([-1.5, -0.2, 1.0])[:, None]).sum(axis=0)
    return codes, design, cluster


def test_the_maximum_is_that_of_statsmodels():
    codes, design, _ = simulated(1)
    found = ordinal_regression(codes, design)
    theirs = OrderedModel(codes, design, distr="logit").fit(method="bfgs", disp=False, gtol=1e-8)
    assert found.converged
    assert found.loglik == pytest.approx(theirs.llf, abs=1e-6)
    np.testing.assert_allclose(found.parameters[3:], theirs.params[:2], atol=1e-4)
    np.testing.assert_allclose(
        np.sqrt(np.diag(np.linalg.inv(found.information())))[3:], theirs.bse[:2], rtol=1e-3
    )


def test_scores_and_information_are_derivatives():
    codes, design, _ = simulated(2, n=60)
    found = ordinal_regression(codes, design)
    away = found.parameters + np.array([0.1, 0.05, -0.1, 0.2, -0.3])

    def at(x):
        return _at(codes, found.upper, found.lower, 3, x, converged=False)

    np.testing.assert_allclose(
        at(away).scores.sum(axis=0), approx_fprime(away, lambda x: at(x).loglik, centered=True), rtol=1e-6
    )
    slopes = approx_fprime(away, lambda x: at(x).scores.sum(axis=0), centered=True)
    np.testing.assert_allclose(at(away).information(), -slopes, rtol=1e-5, atol=1e-6)
    rows = np.arange(20)
    rest = np.arange(20, 60)
    np.testing.assert_allclose(
        at(away).information(rows) + at(away).information(rest), at(away).information(), atol=1e-9
    )


def test_errors_by_cluster_are_those_of_leaving_each_out():
    codes, design, cluster = simulated(3, spread=0.7)
    found = ordinal_regression(codes, design)
    refits = np.array(
        [
            ordinal_regression(codes[cluster != c], design[cluster != c]).parameters - found.parameters
            for c in range(20)
        ]
    )
    slow = 19 / 20 * refits.T @ refits
    # One Newton step from the estimates, in place of all.
    fast = cluster_covariance(found, cluster)
    np.testing.assert_allclose(np.sqrt(np.diag(fast)), np.sqrt(np.diag(slow)), rtol=0.03)


def test_errors_by_cluster_are_those_of_repeated_samples():
    estimates, variances, independent = [], [], []
    for seed in range(150):
        codes, design, cluster = simulated(seed, n=400, spread=0.7)
        fit = ordinal_regression(codes, design)
        estimates.append(fit.parameters[4])
        variances.append(cluster_covariance(fit, cluster)[4, 4])
        independent.append(np.linalg.inv(fit.information())[4, 4])
    # A variance from 150 samples errs by a ninth; three of those.
    assert np.mean(variances) == pytest.approx(np.var(estimates), rel=3 / 8.7)
    assert np.mean(independent) < np.var(estimates) / 2


def test_expected_answers_count_what_categories_do():
    # Thresholds −1 and 1, at 0: σ(1) = .731 above the first, σ(−1) = .269 above the second.
    found = expected_answers(np.array([-1.0, 1.0, 0.5]), np.array([[0.0]]), np.array([1.0, 2.0, 5.0]))
    assert found[0] == pytest.approx(1 + 0.731059 * 1 + 0.268941 * 3, abs=1e-5)
    codes, design, _ = simulated(4)
    fit = ordinal_regression(codes, design)
    assert expected_answers(fit.parameters, design, np.arange(4.0)).mean() == pytest.approx(
        codes.mean(), abs=0.01
    )


def test_answers_told_apart_without_error_have_no_maximum():
    x = np.linspace(-1, 1, 50)
    assert not ordinal_regression((x > 0).astype(int), x[:, None]).converged
