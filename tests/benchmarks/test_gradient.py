"""What one evaluation of the log density with its gradient costs, and what of it the answers cost."""

import statistics
import time

import numpy as np
import pandas as pd
import pytest
from pymc.blocking import DictToArrayBijection
from threadpoolctl import threadpool_limits

from relcap_models.inference.geometry import observe_ratings
from relcap_models.models import Relation
from tests.benchmarks.surveys import SIZES, survey_of

pytestmark = pytest.mark.bench

FAMILIES = {
    "probit": {},
    "logit": {"link": "logit"},
    "partial credit": {"family": "partial_credit"},
}


def milliseconds(work, *arguments, rounds=60):
    work(*arguments)
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work(*arguments)
        taken.append(time.perf_counter() - began)
    return 1e3 * statistics.median(taken)


@pytest.mark.parametrize("size", SIZES)
def test_gradient(kept, size):
    survey, rows = survey_of(size), []
    for family, options in FAMILIES.items():
        model = Relation(instrument="relational_capacity", **options)
        frame = model.frame(survey)
        density = model.density(frame)
        x = density.layout.start(np.random.default_rng(0))
        with threadpool_limits(1):
            whole = milliseconds(density, x)
            values, eta = density.values(x), np.zeros((frame.n_ratings, len(frame.dimensions)))
            d_eta, d_values = np.zeros_like(eta), {k: np.zeros_like(v) for k, v in values.items()}
            answers = milliseconds(density.responses.forward_backward, values, eta, d_eta, d_values)
        rows.append(
            {
                "size": size,
                "family": family,
                "parameters": density.layout.size,
                "answers": len(frame.answer),
                "ms": whole,
                "ms_of_answers": answers,
                "ns_per_answer": 1e6 * answers / len(frame.answer),
            }
        )
    kept("gradient", pd.DataFrame(rows), ["size", "family"])


def test_gradient_against_the_same_model_in_pymc(kept):
    """The peers are PyMC's own compiled gradients of the same parameterisation, with the likelihood in plain
    expressions and as one operation, in the same process."""
    model = Relation(instrument="relational_capacity")
    frame = model.frame(survey_of("small"))
    density = model.density(frame)
    x = density.layout.start(np.random.default_rng(0))
    with threadpool_limits(1):
        rows = [{"who": "density of the engines", "ms": milliseconds(density, x, rounds=30)}]
        for who, fused in (("PyMC, plain", False), ("PyMC, fused", True)):
            graph = model.build(frame, fused=fused)
            peer = graph.logp_dlogp_function(ravel_inputs=True, mode="NUMBA")
            peer.set_extra_values({})
            at = DictToArrayBijection.map(graph.initial_point())
            rows.append({"who": who, "ms": milliseconds(peer, at, rounds=30)})
    table = pd.DataFrame(rows)
    kept("gradient_pymc", table.assign(ratio=table["ms"] / table.loc[0, "ms"]), ["who"])


@pytest.mark.parametrize("chains", [4, 16, 64])
def test_gradients_of_many_chains_on_a_graphics_processor(kept, chains):
    """Three waves; the time for all chains together."""
    jax = pytest.importorskip("jax")
    if jax.default_backend() != "gpu":
        pytest.skip("no graphics processor is at hand")
    from relcap_models.models.density_jax import log_density

    model = Relation(instrument="relational_capacity")
    frame = model.frame(survey_of("large3"))
    density = model.density(frame, observe_ratings(model, frame))
    with jax.enable_x64(True):
        starts = np.stack([density.layout.start(np.random.default_rng(c)) for c in range(chains)])
        began = time.perf_counter()
        evaluate = jax.jit(jax.vmap(jax.value_and_grad(lambda x: log_density(density, x))))
        evaluate = evaluate.lower(jax.numpy.asarray(starts)).compile()
        compiled = time.perf_counter() - began
        spent = milliseconds(lambda x: jax.block_until_ready(evaluate(x)), jax.numpy.asarray(starts))
    row = {"chains": chains, "ms": spent, "seconds_of_compilation": compiled}
    row["device"] = jax.devices()[0].device_kind
    kept("gradient_gpu", pd.DataFrame([row]), ["chains", "device"])
