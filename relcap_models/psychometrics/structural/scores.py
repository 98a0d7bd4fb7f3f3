"""Factor scores: what each respondent's answers say about the latent variables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.errors import DataError
from relcap_models.psychometrics.structural.fit import Fit
from relcap_models.psychometrics.structural.normal_scores import (
    causes_of_observed,
    likelihood_scores,
    regression_scores,
)
from relcap_models.psychometrics.structural.ordinal_scores import ordinal_scores

METHODS = ("EBM", "ML")


def factor_scores(fit: Fit, *, method: str = "EBM") -> pd.DataFrame:
    """Each respondent's most probable latent variables, given the answers there are.

    Parameters
    ----------
    method : `EBM`, the mode given the answers and the model's distribution of the latent variables (with
        continuous variables alone regression scores, their expectation); or `ML`, the mode of the likelihood
        of the answers given the latent variables (Bartlett's scores), which does not shrink towards the mean,
        and to which what explains a latent variable adds nothing. With ordered items `ML` has a normal prior
        of variance 100,000, as in lavaan, for who always chose the first or the last category: such a score
        is large, and says no more than that.

    They are lavPredict's, unless an observed variable that is itself explained (a mediator) explains a latent
    variable. Of such a mediator lavaan 0.6-14 counts what its own predictors say, but not that its value
    tells of the latent variable which it explains; with ordered items it also counts that latent variable's
    mean twice. Here `EBM` counts all that was observed.

    Ordinal items are taken as independent given the latent and the continuous variables: covariances of their
    residuals count for nothing.

    Returns
    -------
    (respondent, latent) DataFrame whose index is the respondent's row in the data (0, 1, …); respondents
    who were left out are not in it.

    Raises
    ------
    DataError
        If the method is another.
    FitError
        If a residual variance is negative, or `ML` scores are not determined.

    Source: Bartholomew, Knott & Moustaki (2011), Latent Variable Models, section 7.4; lavaan's lavPredict.
    """
    if method not in METHODS:
        raise DataError(f"`method` is 'EBM' or 'ML', and not {method!r}")
    if fit.ordinal:
        found = ordinal_scores(fit.model, fit.theta, method=method)
    else:
        found = _continuous_scores(fit, method=method)
    frames = [
        pd.DataFrame(scores, index=sample.position, columns=list(names.latent))
        for scores, sample, names in zip(found, fit.model.samples, fit.names)
    ]
    return pd.concat(frames).sort_index()


def _continuous_scores(fit: Fit, *, method: str) -> list[np.ndarray]:
    found = []
    for block, sample, moments in zip(fit.model.blocks, fit.model.samples, fit.model.moments(fit.theta)):
        p = block.n_observed
        latent = np.arange(p, len(block.variables))
        mu = moments.mu if block.means else sample.mean
        latent_mean = moments.mean[p:] if block.means else _latent_mean(moments.effects, sample.mean)
        scores = np.empty((sample.n, len(latent)))
        effects, residual = causes_of_observed(moments, latent)
        scale = np.sqrt(np.abs(np.diag(moments.covariance)[latent]))
        for pattern in sample.patterns:
            seen = pattern.seen
            off = sample.values[np.ix_(pattern.rows, seen)] - mu[seen]
            if method == "ML":
                mean, _ = likelihood_scores(effects[seen], residual[np.ix_(seen, seen)], off, scale=scale)
            else:
                mean, _ = regression_scores(moments.covariance, latent, seen, off)
            scores[pattern.rows] = latent_mean + mean
        found.append(scores)
    return found


def _latent_mean(effects: np.ndarray, observed_mean: np.ndarray) -> np.ndarray:
    """Means of latent variables with intercepts 0, where observed variables with these means explain them."""
    p = len(observed_mean)
    paths = np.eye(len(effects)) - np.linalg.inv(effects)
    among = np.eye(len(effects) - p) - paths[p:, p:]
    return np.linalg.solve(among, paths[p:, :p] @ observed_mean)
