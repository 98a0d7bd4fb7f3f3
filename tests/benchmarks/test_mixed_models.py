"""The fast engine beside R's mixed models, on one item that they can model, too."""

import json
import shutil
import subprocess
import time

import pandas as pd
import pytest

from relcap_models.inference import fit
from relcap_models.models import Relation
from tests.benchmarks.test_peers import answers_of, one_item_survey

pytestmark = pytest.mark.bench

EFFECTS = ("rater", "target", "relation", "respondent")
OURS = {"rater": "perceiver", "target": "target", "relation": "relation", "respondent": "respondent"}
TERMS = " + ".join(f"(1 | {effect})" for effect in EFFECTS)
# Maximum likelihood by Laplace, and REML; the standard deviations of the four effects.
SCRIPT = """
suppressPackageStartupMessages(library(PACKAGE))
d <- read.csv(commandArgs(trailingOnly = TRUE)[1])
seconds <- system.time(m <- FIT)[["elapsed"]]
sds <- vapply(VarCorr(m), function(v) sqrt(v[1]), 0)[c("rater", "target", "relation", "respondent")]
cat(sprintf('{"version": "%s", "seconds": %f, %s}', packageVersion("PACKAGE"), seconds,
  paste(sprintf('"sd_%s": %f', names(sds), sds), collapse = ", ")))
"""
PEERS = {
    "ordinal": ("probit", f'clmm(ordered(answer) ~ 1 + {TERMS}, data = d, link = "probit")'),
    "lme4": ("gaussian", f"lmer(answer ~ 1 + {TERMS}, data = d)"),
}


@pytest.mark.parametrize("package", PEERS)
def test_against_mixed_models(kept, package, tmp_path):
    """Theirs is a point, ours a posterior with reciprocities: seconds to an answer, and the answers."""
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed")
    family, expression = PEERS[package]
    survey = one_item_survey("small")
    options = {"family": "gaussian"} if family == "gaussian" else {"link": family}
    model = Relation(instrument="relational_capacity", **options)
    answers_of(model.frame(survey)).to_csv(tmp_path / "answers.csv", index=False)
    script = SCRIPT.replace("PACKAGE", package).replace("FIT", expression)
    (tmp_path / "peer.R").write_text(script, encoding="utf-8")
    run = subprocess.run(
        ["Rscript", tmp_path / "peer.R", tmp_path / "answers.csv"], capture_output=True, text=True
    )
    if "no package called" in run.stderr:
        pytest.skip(f"R has no {package} (Debian: r-cran-{package})")
    assert run.returncode == 0, run.stderr
    theirs = json.loads(run.stdout[run.stdout.index("{") :])
    fit(model, survey, engine="fast", seed=0, draws=10, progress=False)
    began = time.perf_counter()
    found = fit(model, survey, engine="fast", seed=1, draws=1000, progress=False)
    seconds = time.perf_counter() - began
    unit = found.draws("sd_unit").mean(axis=0)
    roles = list(found.structure.roles)
    sds = {effect: float(unit[roles.index(OURS[effect])].mean()) for effect in ("rater", "target")}
    sds |= {e: float(found.draws(f"sd_{e}").mean()) for e in ("relation", "respondent")}
    rows = pd.DataFrame(
        [
            {"who": f"{package} {theirs.pop('version')}", **theirs},
            {"who": "relcap_models", "seconds": seconds, **{f"sd_{e}": sd for e, sd in sds.items()}},
        ]
    )
    rows.insert(0, "what", f"one item, {family}")
    rows["ratio"] = rows["seconds"] / seconds
    kept("mixed_models", rows, ["what", "who"])
