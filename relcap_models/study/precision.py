"""From many planned surveys to expected precision, with its Monte Carlo error."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

_MIN_SEEN = 5
"""Of changes that were seen, and of those that were not: with fewer there is no curve."""


def precision(found: pd.DataFrame, by: Sequence[str], *, changes: Sequence[float]) -> pd.DataFrame:
    """Means over surveys, and the probability of seeing a change.

    Parameters
    ----------
    found : rows of `planned.planned_survey`, with the columns `by` (the design) and `replicate`
    changes : in points; those larger than any that happened in a design are left out there

    Returns
    -------
    Columns `by`, analysis, quantity, of, change, value, mc_error, n: the quantities of `planned_survey`, and
    `prob_seen` by size of change: that the interval lies on the right side of 0. mc_error is the standard
    error of the value, n the number of surveys.
    """
    figures = found[found["quantity"] != "change"]
    keys = [*by, "analysis", "quantity", "of"]
    table = figures.groupby(keys, sort=False)["value"].agg(["mean", "sem", "size"]).reset_index()
    table = table.rename(columns={"mean": "value", "sem": "mc_error", "size": "n"}).assign(change=np.nan)
    seen = [
        {**dict(zip(keys, key)), "quantity": "prob_seen", **row, "n": group["replicate"].nunique()}
        for key, group in found[found["quantity"] == "change"].groupby(keys, sort=False)
        for row in _seen(group, changes)
    ]
    columns = [*keys, "change", "value", "mc_error", "n"]
    return pd.concat([table, pd.DataFrame(seen, columns=columns)], ignore_index=True)[columns]


def _seen(group: pd.DataFrame, changes: Sequence[float]) -> Iterator[dict[str, float]]:
    """Rises and falls are treated alike: each is also looked at upside down."""
    true, lower, upper = (group[name].to_numpy(dtype=float) for name in ("true", "lower", "upper"))
    replicate = group["replicate"].to_numpy()
    if group["of"].iloc[0] == "organisation":
        yield from _seen_if_shifted(true, lower, upper, changes)
        return
    happened = np.abs(true).max()
    curve = _probit(
        np.r_[true, -true], np.r_[lower > 0.0, upper < 0.0].astype(float), np.r_[replicate, replicate]
    )
    if curve is None:
        return
    coefficients, covariance = curve
    for change in changes:
        if change > happened:
            continue
        at = np.array([1.0, change])
        value = at @ coefficients
        error = norm.pdf(value) * np.sqrt(at @ covariance @ at)
        yield {"change": change, "value": float(norm.cdf(value)), "mc_error": float(error)}


def _seen_if_shifted(
    true: np.ndarray, lower: np.ndarray, upper: np.ndarray, changes: Sequence[float]
) -> Iterator[dict[str, float]]:
    """Of the organisation: nothing draws its mean to a value, so another change only moves its interval."""
    for change in changes:
        seen = ((lower - true + change > 0.0).astype(float) + (upper - true - change < 0.0)) / 2.0
        error = seen.std(ddof=1) / np.sqrt(len(seen)) if len(seen) > 1 else np.nan
        yield {"change": change, "value": float(seen.mean()), "mc_error": float(error)}


def _probit(x: np.ndarray, y: np.ndarray, survey: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Coefficients and covariance of a probit regression, surveys being independent; None if it has none.

    The posterior mean of a change is normal around a share of the true one, so the probability of seeing it
    is close to Φ(a + b × change).
    """
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.families.links import Probit
    from statsmodels.genmod.generalized_linear_model import GLM

    if min(y.sum(), len(y) - y.sum()) < _MIN_SEEN:
        return None
    model = GLM(y, np.column_stack([np.ones(len(x)), x]), family=Binomial(Probit()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            fitted = model.fit(cov_type="cluster", cov_kwds={"groups": survey})
        except (Warning, ArithmeticError, ValueError, np.linalg.LinAlgError):
            return None
    return np.asarray(fitted.params), np.asarray(fitted.cov_params())
