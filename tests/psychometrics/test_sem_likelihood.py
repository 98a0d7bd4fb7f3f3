"""Derivatives and information of the structural equation likelihood, against slow oracles."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from relcap_models.psychometrics.sem.constraints import Freedom, freedom
from relcap_models.psychometrics.sem.estimate_ml import (
    Model,
    total_expected,
    total_gradient,
    total_hessian,
    total_loss,
)
from relcap_models.psychometrics.sem.fiml import saturated_moments
from relcap_models.psychometrics.sem.fit import build_model
from relcap_models.psychometrics.sem.implied_moments import (
    directions,
    free_entries,
    implied,
    jacobian,
    saturated_directions,
)
from relcap_models.psychometrics.sem.likelihood import (
    casewise_scores,
    expected_information,
    log_likelihood,
    observed_information,
)
from relcap_models.psychometrics.sem.parameter_table import parameter_table
from relcap_models.psychometrics.sem.robust import moment_sampling
from relcap_models.psychometrics.sem.sample import build_sample
from relcap_models.psychometrics.sem.start_values import start_values
from relcap_models.psychometrics.sem.syntax import parse
from relcap_models.psychometrics.sem.variables import variables_of

TEXT = """
f =~ x1 + x2 + x3
g =~ x4 + x5 + x6 + x1
h =~ f + g
y ~ f + x6 + z
z ~ h
x2 ~~ x3
"""


@pytest.fixture(scope="module", params=["complete", "missing", "no means"])
def model(request) -> Model:
    rng = np.random.default_rng(3)
    parsed = parse(TEXT)
    names = variables_of(parsed.terms)
    p = len(names.observed)
    values = rng.normal(size=(80, p)) @ (np.eye(p) + 0.4) + rng.normal(size=p)
    if request.param == "missing":
        values[rng.random(values.shape) < 0.15] = np.nan
    sample, _ = build_sample(
        values,
        np.arange(80),
        group="",
        observed=names.observed,
        covariates=(),
        fiml=request.param == "missing",
    )
    table = parameter_table(parsed, groups=("",), means=request.param != "no means")
    return build_model(table, (names,), (sample,))


@pytest.fixture(scope="module")
def theta(model: Model) -> np.ndarray:
    rng = np.random.default_rng(4)
    block = model.blocks[0]
    at = free_entries(block)
    diagonal = (block.kind[at] == 1) & (block.row[at] == block.column[at])
    found = rng.uniform(-0.5, 0.5, model.n_free)
    found[block.parameter[at[diagonal]]] = rng.uniform(1.0, 2.0, diagonal.sum())
    assert np.isfinite(total_loss(model, found))
    return found


def _numeric(f, theta, h=1e-5):
    steps = np.eye(len(theta)) * h
    return np.stack([(f(theta + s) - f(theta - s)) / (2 * h) for s in steps], axis=-1)


def test_the_gradient_is_the_slope_of_the_loss(model, theta):
    expected = _numeric(lambda t: total_loss(model, t), theta)
    np.testing.assert_allclose(total_gradient(model, theta), expected, atol=1e-7)


def test_the_hessian_is_the_slope_of_the_gradient(model, theta):
    expected = _numeric(lambda t: total_gradient(model, t), theta)
    np.testing.assert_allclose(total_hessian(model, theta), expected, atol=1e-6)


def test_directions_are_the_slopes_of_the_moments(model, theta):
    block = model.blocks[0]
    row, column = np.tril_indices(block.n_observed)
    order = np.lexsort((row, column))

    def moments(t):
        found = implied(block, t)
        covariances = found.sigma[row[order], column[order]]
        return np.concatenate([found.mu, covariances]) if block.means else covariances

    found = jacobian(directions(block, implied(block, theta)), means=block.means)
    np.testing.assert_allclose(
        found, _numeric(moments, theta)[:, block.parameter[free_entries(block)]], atol=1e-8
    )


def test_scores_are_slopes_of_each_ones_likelihood(model, theta):
    block, sample = model.blocks[0], model.samples[0]

    def each(t):
        m = implied(block, t)
        mu = m.mu if block.means else sample.mean
        found = np.empty(sample.n)
        for i, answers in enumerate(sample.values):
            seen = ~np.isnan(answers)
            found[i] = multivariate_normal(mu[seen], m.sigma[np.ix_(seen, seen)]).logpdf(answers[seen])
        return found

    m = implied(block, theta)
    mu = m.mu if block.means else sample.mean
    found = casewise_scores(directions(block, m), m.sigma, mu, sample)
    expected = _numeric(each, theta)[:, block.parameter[free_entries(block)]]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert log_likelihood(m.sigma, mu, sample) == pytest.approx(each(theta).sum(), rel=1e-12)


def test_expected_information_is_the_kronecker_formula(model, theta):
    """Δ' ½ D'(W ⊗ W) D Δ, plus the part of the means, for each pattern of answers."""
    block, sample = model.blocks[0], model.samples[0]
    m = implied(block, theta)
    moving = directions(block, m)
    expected = 0.0
    for pattern in sample.patterns:
        full = np.einsum("ik,jk->ijk", moving.u, moving.v)
        slope = (full + full.transpose(1, 0, 2))[np.ix_(pattern.seen, pattern.seen)]
        flat = slope.reshape(-1, slope.shape[-1])
        w = np.linalg.inv(m.sigma[np.ix_(pattern.seen, pattern.seen)])
        d = moving.d[pattern.seen]
        expected += pattern.n / sample.n * (0.5 * flat.T @ np.kron(w, w) @ flat + d.T @ w @ d)
    at = block.parameter[free_entries(block)]
    np.testing.assert_allclose(total_expected(model, theta)[np.ix_(at, at)], expected, rtol=1e-9, atol=1e-10)


def test_saturated_information_is_expected_where_the_model_is_the_sample():
    values = np.random.default_rng(10).normal(size=(50, 3)) @ (np.eye(3) + 0.3)
    sample, _ = build_sample(
        values, np.arange(50), group="", observed=("a", "b", "c"), covariates=(), fiml=False
    )
    moving = saturated_directions(3, means=True)
    observed = observed_information(moving, sample.cov, sample.mean, sample)
    expected = expected_information(moving, sample.cov, sample.mean, sample)
    np.testing.assert_allclose(observed, expected, atol=1e-12)


def test_sampling_of_moments_is_normal_theory_under_normality():
    """Γ = A⁻¹ for normal answers; 200,000 of them leave chance of about 5/√200000 = 0.011 in an entry."""
    rng = np.random.default_rng(5)
    cov = np.array([[1.0, 0.5, 0.2], [0.5, 1.5, 0.3], [0.2, 0.3, 0.8]])
    values = rng.multivariate_normal(np.zeros(3), cov, size=200_000)
    sample, _ = build_sample(
        values, np.arange(len(values)), group="", observed=("a", "b", "c"), covariates=(), fiml=False
    )
    found = moment_sampling(sample, means=True, fixed=np.zeros(3, dtype=bool))
    normal = expected_information(saturated_directions(3, means=True), sample.cov, sample.mean, sample)
    np.testing.assert_allclose(found, np.linalg.inv(normal), atol=0.06)


def test_saturated_moments_have_no_slope_left():
    rng = np.random.default_rng(6)
    values = rng.normal(size=(120, 4)) @ (np.eye(4) + 0.5)
    values[rng.random(values.shape) < 0.2] = np.nan
    sample, _ = build_sample(
        values, np.arange(120), group="", observed=tuple("abcd"), covariates=(), fiml=True
    )
    mean, cov, notes = saturated_moments(sample)
    scores = casewise_scores(saturated_directions(4, means=True), cov, mean, sample).mean(axis=0)
    np.testing.assert_allclose(scores, 0, atol=1e-6)
    assert notes == ()


def test_constraints_leave_their_null_space():
    parsed = parse("f =~ x1 + a*x2 + b*x3 + d*x4\na == 2*b - 0.3\nd == 0.5")
    table = parameter_table(parsed, groups=("",), means=False)
    free: Freedom = freedom(table, parsed.relations)
    theta = free.origin + free.basis @ np.arange(free.basis.shape[1])
    assert free.basis.shape[1] == table["free"].max() - 2
    assert theta[0] == pytest.approx(2 * theta[1] - 0.3)
    assert theta[2] == pytest.approx(0.5)


def test_starting_loadings_have_the_signs_of_the_covariances():
    rng = np.random.default_rng(7)
    factor = rng.normal(size=(300, 1))
    values = factor * [1.0, -0.8, 0.6] + 0.3 * rng.normal(size=(300, 3))
    sample, _ = build_sample(
        values, np.arange(300), group="", observed=("a", "b", "c"), covariates=(), fiml=False
    )
    table = parameter_table(parse("f =~ a + b + c"), groups=("",), means=False)
    start = start_values(table, (sample,))
    assert start[0] == pytest.approx(-0.8, abs=0.1)
    assert start[1] == pytest.approx(0.6, abs=0.1)
