"""Estimates that cannot be: negative variances, and correlations of factors beyond one."""

from __future__ import annotations

import numpy as np

from relcap_models.psychometrics.structural.fit import Fit

ZERO = 1e-6


def improper_notes(fit: Fit) -> tuple[str, ...]:
    """Notes on negative variances, on none where there should be some, and on factors that are one."""
    notes = []
    for b, (v, moments) in enumerate(zip(fit.names, fit.model.moments(fit.theta))):
        between = fit.two_level and b % 2 == 1
        where = _where(fit, b)
        own = (fit.table["block"] == b) & (fit.table["op"] == "~~") & (fit.table["lhs"] == fit.table["rhs"])
        for lhs, est, free in fit.table.loc[own, ["lhs", "est", "free"]].itertuples(index=False):
            kind = "residual variance" if lhs in v.observed else "variance"
            if est < 0:
                why = (
                    "the clusters too few, or there is no such variance"
                    if between
                    else "or the sample too small"
                )
                notes.append(
                    f"The {kind} of {lhs}{where} is negative (a Heywood case): the model may be wrong, {why}"
                )
            elif fit.two_level and free and est < ZERO * _spread(fit, b, lhs):
                notes.append(f"The {kind} of {lhs}{where} is zero (a Heywood case)")
        latent = moments.covariance[len(v.observed) :, len(v.observed) :][: len(v.latent), : len(v.latent)]
        if len(latent) and np.diag(latent).min() > 0:
            values, vectors = np.linalg.eigh(latent / np.sqrt(np.outer(np.diag(latent), np.diag(latent))))
            if values[0] < -1e-8:
                part = [n for n, w in zip(v.latent, vectors[:, 0]) if abs(w) > 0.1]
                notes.append(
                    f"The covariance matrix of the factors{where} is not positive definite: "
                    f"{', '.join(part)} cannot be told apart"
                )
    return tuple(notes)


def _where(fit: Fit, block: int) -> str:
    group = fit.model.samples[block // 2 if fit.two_level else block].group
    level = f" at level {block % 2 + 1}" if fit.two_level else ""
    return level + (f" in group '{group}'" if group else "")


def _spread(fit: Fit, block: int, name: str) -> float:
    """What a variance is compared with: everybody's variance of the variable, or of the level's largest."""
    sample = fit.model.samples[block // 2]
    variance = dict(zip(sample.variables, sample.values.var(axis=0)))
    return variance.get(name, max(variance.values()))
