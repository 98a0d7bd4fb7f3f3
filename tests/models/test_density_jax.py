"""The log density in JAX is the one written by hand, and so is its gradient."""

import sys

import numpy as np
import pytest

from relcap_models.errors import FitError
from relcap_models.inference import fit


@pytest.fixture
def jax_density():
    """A density in JAX, as a function of x; the lock file has JAX on Linux alone."""
    if not sys.platform.startswith("linux"):
        pytest.importorskip("blackjax")
    import jax

    from relcap_models.models.density_jax import log_density

    def of(density):
        compiled = jax.jit(jax.value_and_grad(lambda x: log_density(density, x)))

        def evaluate(x):
            with jax.enable_x64(True):
                value, gradient = compiled(x)
                return float(value), np.asarray(gradient)

        return evaluate

    return of


SMALLEST = "climate, one wave, districts"


def equal_by_hand_and_in_jax(density, jax_density, *, shift=0.0, within=1e-11):
    rng, in_jax = np.random.default_rng(1), jax_density(density)
    for _ in range(3):
        x = density.layout.start(rng) + rng.normal(0.0, 0.5, density.layout.size)
        for name, where in density.layout.slices.items():
            if name.startswith("mu"):
                x[where] += shift
        value, gradient = density(x)
        by_jax, its_gradient = in_jax(x)
        assert by_jax == pytest.approx(value, rel=within)
        reach = 10 * within * (1 + np.abs(gradient).max())
        np.testing.assert_allclose(its_gradient, gradient, rtol=0, atol=reach)


def test_value_and_gradient_of_one_design_are_those_by_hand(case_named, jax_density):
    equal_by_hand_and_in_jax(case_named(SMALLEST).density, jax_density)


@pytest.mark.recovery
@pytest.mark.parametrize("name", ["one wave, own ratings", "two waves, some relations from one side"])
def test_far_out_they_are_equal_too(name, case_named, jax_density):
    """Own-unit means (waves' means) moved by thirty: of many answers the probability is below e⁻⁴⁰⁰.

    JAX's log Φ is an asymptotic series below −20, whose next term is 105/x⁸: 4e-9.
    """
    equal_by_hand_and_in_jax(case_named(name).density, jax_density, shift=30.0, within=4e-9)


@pytest.mark.recovery
@pytest.mark.parametrize(
    "name",
    [
        "three waves, districts",
        "half-block",
        "residual, gaussian, two dimensions, some relations from one side",
        "stable, three waves, some relations from one side",
        "each unit rates one other, two waves",
        "items with 2, 3 and 7 categories",
        "dimensions of one and three items",
        "covariates",
        "link, two waves, covariates",
        "link, three waves, separate dimensions",
        "link, same source, two waves",
    ],
)
def test_value_and_gradient_are_those_of_the_density_by_hand(name, case_named, jax_density):
    """JAX derives its gradient; the other is written down. Each of these takes a branch of its own."""
    equal_by_hand_and_in_jax(case_named(name).density, jax_density)


@pytest.mark.recovery
@pytest.mark.usefixtures("jax_density")
def test_chains_on_jax_have_the_posterior_of_chains_on_numba(case_named):
    """Means of all that is kept, in joint Monte Carlo errors: of a hundred, hardly one beyond four."""
    from relcap_models.estimands.estimate import summarise

    case = case_named(SMALLEST)
    options = {"seed": 3, "chains": 2, "draws": 400, "tune": 300, "progress": False}
    found = {
        backend: fit(case.model, case.survey, backend=backend, **options) for backend in ("numba", "jax")
    }
    assert [(f.n_chains, f.n_draws) for f in found.values()] == [(2, 400)] * 2
    distances = []
    for name in found["numba"].posterior:
        sides = []
        for fitted in found.values():
            draws = fitted.posterior[name].transpose("chain", "draw", ...).to_numpy()
            sides.append(summarise(draws.reshape(*draws.shape[:2], -1), ci_prob=0.9))
        moving = sides[0]["mcse"] > 0
        error = np.hypot(sides[0]["mcse"], sides[1]["mcse"])[moving]
        distances += list((sides[0]["mean"] - sides[1]["mean"])[moving] / error)
    assert np.abs(distances).max() < 5
    assert np.sqrt(np.mean(np.square(distances))) < 1.6


def test_an_unknown_backend_is_refused(case_named):
    case = case_named("climate")
    with pytest.raises(FitError, match="use one of numba, jax"):
        fit(case.model, case.survey, backend="torch", seed=1)
