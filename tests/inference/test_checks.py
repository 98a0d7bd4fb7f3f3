"""The checks of a run: what fails, what is named, and what is not judged."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from relcap_models.inference.checks import COLUMNS, checks
from relcap_models.inference.loo import loo
from relcap_models.inference.predictive import replicate


@pytest.fixture(scope="module")
def made(small_fit):
    """What the checks would make anew at each call."""
    return {
        "replicates": replicate(small_fit, seed=1, n_replicates=100),
        "left_out": loo(small_fit, n_draws=60),
    }


def with_draws(fit, group, name, values):
    """The fit with the draws of one quantity replaced."""
    dataset = fit.tree[group].to_dataset()
    dataset[name] = (dataset[name].dims, values)
    tree = xr.DataTree.from_dict(
        {g: dataset if g == group else fit.tree[g].to_dataset() for g in ("posterior", "sample_stats")}
    )
    return dataclasses.replace(fit, tree=tree)


def row(table, check):
    return table.set_index("check").loc[check]


def test_one_row_per_check_without_gaps(small_fit, made):
    table = checks(small_fit, estimates={}, **made)
    assert tuple(table.columns) == COLUMNS
    assert table["check"].is_unique
    assert not table.isna().to_numpy().any()
    assert table["passed"].map(type).eq(bool).all()
    assert (table["analysis"] == "relations").all()
    assert table["message"].str.endswith(".").all()


def test_drifting_chains_fail_and_are_named(small_fit, made):
    values = small_fit.tree["posterior"]["relation_effect"].to_numpy().copy()
    values[:, :, 3, 0, 1] += np.linspace(0, 9, values.shape[1]) * np.array([[1], [-1]])
    bad = with_draws(small_fit, "posterior", "relation_effect", values)
    table = checks(bad, estimates={}, **made)
    labels = bad.posterior["relation"].to_numpy()[3], "w1", bad.posterior["dimension"].to_numpy()[1]
    subject = f"relation_effect[{', '.join(labels)}]"
    for check in ("rhat", "ess_bulk"):
        found = row(table, check)
        assert found["subject"] == subject
        assert not found["passed"]
    assert "--set inference.draws=300" in row(table, "rhat")["message"]


def test_constants_are_not_judged(small_fit, made):
    # The mean of the only wave is fixed at 0, an effect's correlation with itself at 1.
    assert (small_fit.draws("mu") == 0).all()
    table = checks(small_fit, estimates={}, max_rhat=99, min_ess=0.1, **made)
    assert row(table, "rhat")["passed"]
    n_kept = sum(v[0, 0].size for v in small_fit.posterior.data_vars.values())
    judged = int(row(table, "rhat")["message"].split(" of ")[1].split(" ")[0].replace(",", ""))
    n_dimensions, n_unit_effects = 2, len(small_fit.posterior["unit_effect"])
    assert judged == n_kept - n_dimensions - n_unit_effects  # mu, and the diagonal of corr_unit


def test_rows_of_tables_are_judged_and_named(small_fit, made):
    table = pd.DataFrame(
        {
            "analysis": "relations",
            "wave": "w1",
            "rater_unit": ["u01", "u02"],
            "target_unit": ["u02", None],
            "mean": 3.0,
            "ess": [500.0, 1.0],
            "ess_tail": [500.0, np.nan],
            "rhat": [50.0, np.nan],
        }
    )
    found = checks(
        small_fit, estimates={"relation_scores": table, "intake": pd.DataFrame({"read": [1]})}, **made
    )
    assert row(found, "rhat")["subject"] == "relation_scores[w1, u01, u02]"
    assert row(found, "ess_bulk")["subject"] == "relation_scores[w1, u02]"


def test_one_divergence_fails(small_fit, made):
    quiet = np.zeros_like(small_fit.tree["sample_stats"]["diverging"].to_numpy())
    assert row(
        checks(with_draws(small_fit, "sample_stats", "diverging", quiet), estimates={}, **made), "divergences"
    )["passed"]
    quiet[1, 7] = True
    found = row(
        checks(with_draws(small_fit, "sample_stats", "diverging", quiet), estimates={}, **made), "divergences"
    )
    assert not found["passed"]
    assert found["subject"] == "chain 1"
    assert "inference.target_accept" in found["message"]


def test_slow_energy_fails(small_fit, made):
    energy = small_fit.tree["sample_stats"]["energy"].to_numpy().copy()
    energy[0] = np.cumsum(np.random.default_rng(1).normal(size=energy.shape[1]))
    found = row(
        checks(with_draws(small_fit, "sample_stats", "energy", energy), estimates={}, **made), "ebfmi"
    )
    assert not found["passed"]
    assert found["subject"] == "chain 0"
