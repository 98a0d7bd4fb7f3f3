"""The fused likelihood of a PyMC graph is that of its plain expressions, and its slopes are right."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.gradient import DisconnectedInputError, verify_grad
from pytensor.graph.traversal import ancestors

from relcap_models.models.answer_op import AnswerLikelihood, answer_log_likelihood
from relcap_models.models.graph import plain_log_likelihood

FAMILIES = {
    "probit": "items with 2, 3 and 7 categories",
    "logit": "binary items",
    "partial_credit": "partial credit, items with 2 and 4 categories",
}
INTERPRETED = pytensor.compile.mode.Mode(linker="py", optimizer=None)
COMPILED = pytensor.compile.mode.get_mode("NUMBA")


def some_point(frame, rng):
    """Latent ratings, loadings and thresholds, not far out, where the plain expressions have no slopes."""
    eta = rng.normal(size=(frame.n_ratings, len(frame.dimensions)))
    thresholds = [np.linspace(-1, 1, n + 1)[1:-1] for n in frame.n_categories]
    return eta, rng.uniform(0.5, 1.5, len(frame.items)), np.concatenate(thresholds)


@pytest.mark.parametrize("mode", [INTERPRETED, COMPILED], ids=["interpreted", "compiled"])
@pytest.mark.parametrize("family", FAMILIES)
def test_it_equals_the_plain_expressions(case_named, family, mode):
    frame = case_named(FAMILIES[family]).frame
    point = some_point(frame, np.random.default_rng(3))

    def evaluate(likelihood, mode):
        inputs = [pt.dmatrix(), pt.dvector(), pt.dvector()]
        total = likelihood(family, frame, *inputs)
        return pytensor.function(inputs, [total, *pytensor.grad(total, inputs)], mode=mode)(*point)

    for ours, theirs in zip(
        evaluate(answer_log_likelihood, mode), evaluate(plain_log_likelihood, INTERPRETED), strict=True
    ):
        # PyMC's logarithm of the normal distribution errs by up to 3e-8, ours by 5e-14.
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_slopes_are_those_of_finite_differences(case_named, family):
    frame = case_named(FAMILIES[family]).frame
    rng = np.random.default_rng(1)
    verify_grad(
        lambda *inputs: answer_log_likelihood(family, frame, *inputs),
        [*some_point(frame, rng)],
        rng=rng,
        mode=COMPILED,
    )


@pytest.mark.parametrize("fused", [True, False])
def test_a_model_has_it_unless_told_otherwise(case_named, fused):
    case = case_named(FAMILIES["probit"])
    (likelihood,) = case.model.build(case.frame, fused=fused).potentials
    ops = [variable.owner.op for variable in ancestors([likelihood]) if variable.owner is not None]
    assert any(isinstance(op, AnswerLikelihood) for op in ops) == fused


def test_data_have_no_slopes():
    data, inputs = [pt.lvector() for _ in range(5)], [pt.dvector() for _ in range(3)]
    total = AnswerLikelihood("probit")(*inputs, *data)[0]
    with pytest.raises(DisconnectedInputError):
        pytensor.grad(total, data[2])
