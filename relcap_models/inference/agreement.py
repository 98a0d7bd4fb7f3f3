"""How far the fast engine's figures lie from the sampler's, on the same survey."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from relcap_models.inference.fit import Fit

COLUMNS = (
    "analysis",
    "quantity",
    "n",
    "mean_difference",
    "p95_difference",
    "max_difference",
    "median_sd_ratio",
    "share_sd_ratio",
)
CLOSE_RATIO = (0.85, 1.15)
EFFECT_COLUMNS = ("analysis", "effect", "difference", "sd_ratio")
_EFFECTS = {
    "leadership_link": ("level", "predictor", "adjusted", "scale"),
    "programme_effects": ("estimand", "aggregate", "group", "time", "scale", "component"),
}
"""Tables of effects, and what tells their rows apart."""
_PARAMETERS = ("sd_", "corr_unit", "dyadic_reciprocity", "generalised_reciprocity", "stability_", "memory_")


def agreement(
    sampled: Fit,
    fast: Fit,
    *,
    estimates: Mapping[str, pd.DataFrame],
    approximated: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    """Compare posterior means and standard deviations of two engines.

    Parameters
    ----------
    sampled, fast : fits of one model to one survey, by `nuts` and by `fast`
    estimates, approximated : the uncontrolled tables made from each

    Returns
    -------
    One row per kind of figure (relation scores, unit scores of each role, effects, variances and
    correlations): how many; mean, 95th percentile and maximum of |difference of means| in the sampler's
    posterior standard deviations; median of sd(fast)/sd(sampled), and the share of figures for which it lies
    within `CLOSE_RATIO`. The sampler's own Monte Carlo error, about 1/√ESS, is part of the differences.
    """
    rows = []
    for quantity, ours, theirs in _pairs(sampled, fast, estimates, approximated):
        spread = theirs[1]
        known = spread > 1e-9
        if not known.any():
            continue
        away = np.abs(ours[0] - theirs[0])[known] / spread[known]
        ratio = ours[1][known] / spread[known]
        rows.append(
            (
                sampled.model.id,
                quantity,
                int(known.sum()),
                away.mean(),
                np.quantile(away, 0.95),
                away.max(),
                np.median(ratio),
                np.mean((ratio > CLOSE_RATIO[0]) & (ratio < CLOSE_RATIO[1])),
            )
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _pairs(
    sampled: Fit, fast: Fit, estimates: Mapping[str, pd.DataFrame], approximated: Mapping[str, pd.DataFrame]
) -> Iterator[tuple[str, tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]]:
    """Name, and (means, standard deviations) by the fast engine and by the sampler."""
    if "relation_scores" in estimates:
        yield (
            "relation_scores",
            *(_figures(tables["relation_scores"]) for tables in (approximated, estimates)),
        )
    if "unit_scores" in estimates:
        # Units as raters are estimated with less than units as others see them.
        for role, part in estimates["unit_scores"].groupby("role", sort=False):
            yield str(role), _figures(approximated["unit_scores"].loc[part.index]), _figures(part)
    for ours, theirs in _effects(approximated, estimates):
        yield "effects", _figures(ours), _figures(theirs)
    parameters = sorted(
        str(name) for name in sampled.posterior.data_vars if str(name).startswith(_PARAMETERS)
    )
    moments = []
    for fit in (fast, sampled):
        draws = [fit.draws(name).reshape(fit.n_chains * fit.n_draws, -1) for name in parameters]
        whole = np.concatenate(draws, axis=1)
        moments.append((whole.mean(axis=0), whole.std(axis=0)))
    yield "parameters", *moments


def effect_agreement(
    estimates: Mapping[str, pd.DataFrame], approximated: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Compare the effects of a leadership link or a programme, one by one.

    Parameters
    ----------
    estimates, approximated : the uncontrolled tables made from a fit by `nuts` and from one by `fast`

    Returns
    -------
    One row per effect that the model estimates: mean(fast) − mean(sampler) in the sampler's posterior
    standard deviations, and sd(fast)/sd(sampler). No row where there is no table of effects.
    """
    rows = [pd.DataFrame(columns=list(EFFECT_COLUMNS))]
    for ours, theirs in _effects(approximated, estimates):
        names = next(columns for columns in _EFFECTS.values() if set(columns) <= set(theirs))
        mean, spread = _figures(theirs)
        labels = theirs[list(names)].astype(object).agg(_label, axis=1)
        columns = (
            theirs["analysis"],
            labels,
            (_figures(ours)[0] - mean) / spread,
            _figures(ours)[1] / spread,
        )
        rows.append(pd.DataFrame(dict(zip(EFFECT_COLUMNS, columns))))
    return pd.concat(rows[1:] or rows, ignore_index=True)


def _effects(
    approximated: Mapping[str, pd.DataFrame], estimates: Mapping[str, pd.DataFrame]
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Rows of effects by the fast engine and by the sampler, where the two are of the same things."""
    for name, columns in _EFFECTS.items():
        if name not in estimates:
            continue
        ours, theirs = (
            tables[name][tables[name]["method"] == "joint"] if "method" in tables[name] else tables[name]
            for tables in (approximated, estimates)
        )
        by = list(columns)
        if not ours[by].reset_index(drop=True).equals(theirs[by].reset_index(drop=True)):
            raise ValueError(f"{name}: the two engines' rows are of different effects")
        known = theirs["sd"].to_numpy(dtype=float) > 1e-9
        yield ours[known].reset_index(drop=True), theirs[known].reset_index(drop=True)


def _label(row: pd.Series) -> str:
    """`between, relational_leadership, adjusted, points`: a flag by its name, blanks left out."""
    adjusted = {True: "adjusted", False: "not adjusted"}
    parts = [adjusted[v] if isinstance(v, bool | np.bool_) else str(v) for v in row.dropna()]
    return ", ".join(part for part in parts if part)


def _figures(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return table["mean"].to_numpy(dtype=float), table["sd"].to_numpy(dtype=float)
