"""The sampler beside others: brms where R has it, NumPyro and BlackJAX where they are installed."""

import json
import shutil
import subprocess
import time

import numpy as np
import pandas as pd
import pytest

from relcap_models.data import Wave, read_survey
from relcap_models.inference import fit
from relcap_models.models import Relation
from relcap_models.schema import load_instrument
from relcap_models.schema.instrument import Instrument
from relcap_models.simulate import Simulation, simulate
from tests.benchmarks.surveys import SIZES, survey_of
from tests.benchmarks.test_sampling import scored, worst

pytestmark = pytest.mark.bench

TUNE, DRAWS, ACCEPTED = 300, 200, 0.8
"""Of every sampler on one density: steps of adaptation, draws, and the acceptance aimed at."""

# Sampling alone is timed, not the minute in which Stan compiles the model.
BRMS = """
suppressPackageStartupMessages(library(brms))
# Debian keeps the headers outside of R's packages.
if (system.file("include", package = "BH") == "") rstan::rstan_options(boost_lib = "/usr/include")
if (system.file("include/Eigen", package = "RcppEigen") == "")
  rstan::rstan_options(eigen_lib = "/usr/include/eigen3")
arguments <- commandArgs(trailingOnly = TRUE)
d <- read.csv(arguments[1])
d$answer <- ordered(d$answer)
m <- suppressMessages(brm(
  answer ~ 1 + (1 | rater) + (1 | target) + (1 | relation) + (1 | respondent), data = d,
  family = cumulative("probit"), chains = 2, cores = 2, iter = 400 + as.integer(arguments[2]), warmup = 400,
  seed = 1, refresh = 0, silent = 2))
s <- posterior::summarise_draws(posterior::as_draws_array(m$fit), "ess_bulk")
s <- s[grepl("^(b_|sd_|r_)", s$variable), ]
w <- which.min(s$ess_bulk)
seconds <- max(rowSums(rstan::get_elapsed_time(m$fit)))
cat(sprintf('{"ess": %f, "worst": "%s", "seconds": %f, "version": "%s"}',
  s$ess_bulk[w], s$variable[w], seconds, packageVersion("brms")))
"""


def one_item_survey(size):
    """An organisation that is asked one question: a model that both can fit, save for our reciprocities."""
    whole = load_instrument("relational_capacity")
    organisation, _ = SIZES[size]
    options = Simulation.model_validate({"organisation": organisation, "ratings": {"own_unit": False}})
    waves = [Wave("w1")]
    tables = simulate(options, instruments={whole.id: whole}, waves=waves, seed=1).tables
    item = whole.items[0]
    dimensions = [d for d in whole.model_dump(mode="json")["dimensions"] if d["id"] == item.dimension]
    declared = whole.model_dump(mode="json") | {"dimensions": dimensions}
    declared["items"] = [i for i in declared["items"] if i["id"] == item.id]
    responses = tables["responses"]
    tables = {**tables, "responses": responses[responses["item"] == item.id]}
    return read_survey(tables, instruments=[Instrument.model_validate(declared)], waves=waves)


def answers_of(frame):
    """A row for each answer, as R's mixed models take them."""
    rating = frame.rating_of_response
    return pd.DataFrame(
        {
            "answer": frame.answer.astype(int),
            "rater": frame.rater_of_rating[rating],
            "target": frame.target_of_rating[rating],
            "relation": frame.relation_of_rating[rating],
            "respondent": frame.respondent_of_rating[rating],
        }
    )


def compare(what, theirs, ours, kept):
    """Effective draws a second of both, and how many times theirs ours are."""
    rows = pd.DataFrame([theirs, ours])[["who", "seconds", "worst", "ess"]]
    rows.insert(0, "what", what)
    rows["ess_per_second"] = rows["ess"] / rows["seconds"]
    rows["ratio"] = rows["ess_per_second"].iloc[-1] / rows["ess_per_second"]
    kept("peers", rows, ["what", "who"])


@pytest.mark.parametrize(("size", "draws"), [("small", 2600), ("large", 600)])
def test_against_brms(kept, size, draws, tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed (Debian: r-cran-brms, r-cran-bh)")
    survey = one_item_survey(size)
    model = Relation(instrument="relational_capacity")
    frame = model.frame(survey)
    answers_of(frame).to_csv(tmp_path / "answers.csv", index=False)
    (tmp_path / "peer.R").write_text(BRMS, encoding="utf-8")
    ran = subprocess.run(
        ["Rscript", tmp_path / "peer.R", tmp_path / "answers.csv", str(draws)],
        capture_output=True,
        text=True,
    )
    if "no package called" in ran.stderr or "Boost not found" in ran.stderr:
        pytest.skip("R cannot run brms (Debian: r-cran-brms, r-cran-bh)")
    assert ran.returncode == 0, ran.stderr
    theirs = json.loads(ran.stdout[ran.stdout.index("{") :])
    options = {"chains": 2, "tune": 400, "draws": draws, "progress": False}
    fit(model, survey, seed=0, **{**options, "tune": 10, "draws": 10})
    began = time.perf_counter()
    fitted = fit(model, survey, seed=1, **options)
    seconds = time.perf_counter() - began
    theirs |= {"who": f"brms {theirs.pop('version')}"}
    ess, name, _ = worst(scored(fitted))
    ours = {"who": "relcap_models", "ess": ess, "worst": name, "seconds": seconds}
    compare(f"one ordinal item, {len(frame.answer):,} answers", theirs, ours, kept)


def numpyro_draws(logp, start, seed):
    """NumPyro's version, and the draws of its No-U-Turn sampler with its own adaptation."""
    import jax
    import numpyro
    from numpyro.infer import MCMC, NUTS

    kernel = NUTS(potential_fn=lambda x: -logp(x), target_accept_prob=ACCEPTED)
    mcmc = MCMC(kernel, num_warmup=TUNE, num_samples=DRAWS, progress_bar=False)
    mcmc.run(jax.random.PRNGKey(seed), init_params=start)
    return f"NumPyro {numpyro.__version__}", np.asarray(mcmc.get_samples())


def blackjax_draws(logp, start, seed):
    """BlackJAX's version, and the draws of its No-U-Turn sampler after its window adaptation."""
    import blackjax
    import jax

    warm, sampling = jax.random.split(jax.random.PRNGKey(seed))
    adaptation = blackjax.window_adaptation(blackjax.nuts, logp, target_acceptance_rate=ACCEPTED)
    (state, parameters), _ = adaptation.run(warm, start, num_steps=TUNE)
    step = blackjax.nuts(logp, **parameters).step

    def advance(state, key):
        state, _ = step(key, state)
        return state, state.position

    _, points = jax.jit(lambda s, keys: jax.lax.scan(advance, s, keys))(
        state, jax.random.split(sampling, DRAWS)
    )
    return f"BlackJAX {blackjax.__version__}", np.asarray(points)


@pytest.mark.parametrize(("size", "seed"), [("small", 1), ("small", 2), ("small", 3), ("large", 1)])
@pytest.mark.parametrize("library", ["numpyro", "blackjax"])
def test_against_samplers(kept, library, size, seed):
    """Other No-U-Turn samplers on the same log density in JAX, compiled on the way: one chain."""
    pytest.importorskip(library)
    jax = pytest.importorskip("jax")

    from relcap_models.models.density_jax import log_density

    sampler = {"numpyro": numpyro_draws, "blackjax": blackjax_draws}[library]
    model = Relation(instrument="relational_capacity")
    survey = survey_of(size)
    density = model.density(model.frame(survey))
    with jax.enable_x64(True):
        start = jax.numpy.asarray(density.layout.start(np.random.default_rng(seed)))
        began = time.perf_counter()
        who, points = sampler(lambda x: log_density(density, x), start, seed)
        seconds = time.perf_counter() - began
    draws: dict[str, list[np.ndarray]] = {}
    for x in points:
        for name, value in density.report(x).items():
            draws.setdefault(name, []).append(np.array(value))
    ess, name, _ = worst(
        {name: np.stack(values).reshape(1, len(values), -1) for name, values in draws.items()}
    )
    theirs = {"who": who, "seconds": seconds, "worst": name, "ess": ess}
    options = {"chains": 1, "tune": TUNE, "draws": DRAWS, "progress": False}
    began = time.perf_counter()
    fitted = fit(model, survey, seed=seed, **options)
    seconds = time.perf_counter() - began
    ess, name, _ = worst(scored(fitted))
    ours = {"who": "relcap_models", "seconds": seconds, "worst": name, "ess": ess}
    what = f"one density of the {size} size, beside {library}, seed {seed}"
    compare(what, theirs, ours, kept)
