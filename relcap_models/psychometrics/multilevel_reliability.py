"""Omega at two levels: how well a sum score tells members of a cluster apart, clusters, and everybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import norm

from relcap_models.errors import DataError
from relcap_models.psychometrics.items import read_groups
from relcap_models.psychometrics.structural.clusters import FEW
from relcap_models.psychometrics.structural.fit import Fit
from relcap_models.psychometrics.structural.implied_moments import (
    COVARIANCE,
    Block,
    Moments,
    directions,
    free_entries,
)
from relcap_models.psychometrics.structural.parameter_table import terms_of
from relcap_models.psychometrics.structural.syntax import Syntax, Term, parse
from relcap_models.psychometrics.structural.two_level import fit_two_level, with_levels
from relcap_models.psychometrics.structural.two_level_likelihood import two_level_expected, two_level_scores
from relcap_models.psychometrics.structural.two_level_robust import moments_model, sum_by_unit
from relcap_models.psychometrics.structural.two_level_sample import TwoLevelSample
from relcap_models.psychometrics.structural.variables import variables_of


@dataclass(frozen=True)
class MultilevelOmega:
    """Reliabilities of a sum score with intervals, unitless.

    within : of differences between members of a cluster. between : of the clusters' mean scores as measures
    of what clusters are like; members' disagreement counts as error. two_level : of differences between all
    respondents. n, n_clusters : used. notes : what a reader should know.
    """

    within: float
    within_lower: float
    within_upper: float
    between: float
    between_lower: float
    between_upper: float
    two_level: float
    two_level_lower: float
    two_level_upper: float
    n: int
    n_clusters: int
    notes: tuple[str, ...]


def multilevel_omega(
    syntax: str,
    data: pd.DataFrame,
    *,
    cluster: str | Sequence,
    ci_prob: float = 0.95,
    independent: str | Sequence | None = None,
) -> MultilevelOmega:
    """How reliably a sum score tells members of a cluster apart, clusters, and everybody.

    With the factor's variances φ, loadings λ, and the sum score's variances W within and B between clusters,
    within = (Σλ_W)² φ_W / W; two_level = ((Σλ_W)² φ_W + (Σλ_B)² φ_B) / (W + B); and between =
    (Σλ_B)² φ_B / (B + W / ñ), ñ the harmonic mean of the clusters' sizes. So `between` is the reliability of
    observed means of clusters, members' disagreement being error. (Geldhof, Preacher and Zyphur's between
    coefficient lacks W / ñ: it is that of endless clusters.) W and B are estimated without the model, as
    semTools::compRelSEM does, so that a poor model does not change the variance which is explained.

    `within` and `two_level` belong to a construct that means the same at both levels, which is so only if
    loadings are equal over them. A note says where they are not.

    Parameters
    ----------
    syntax : one factor in lavaan's syntax, `trust =~ t1 + t2 + t3`, which is fitted at both levels with
        equal loadings (Lai's model of a configural construct); or blocks `level: 1` and `level: 2` with one
        factor of the same items each, whose loadings are equal where their labels are.
    data : a row for each respondent; those with missing answers are left out.
    cluster : a column of the data, or each respondent's cluster.
    ci_prob : probability of the intervals.
    independent : a column of the data, or for each respondent, what clusters lie in, such as a unit that
        rates several others, if not clusters but these are independent of each other.

    Returns
    -------
    MultilevelOmega. Intervals are by the delta method, for normal answers, on the logit scale, where the
    coefficients are nearer to normal and cannot leave 0 to 1; NaN, with a note, where an estimate does. With
    `independent` they are by the sandwich, which takes neither answers as normal nor clusters as independent.

    Raises
    ------
    DataError
        If the model is not one factor of the same items at both levels, or as `cfa` does; if a cluster lies
        in several of `independent`, or all do in one.
    FitError
        If the model is not identified, or does not converge.

    Source: Lai (2021), Psychological Methods 26, 90-102; Geldhof, Preacher & Zyphur (2014), Psychological
    Methods 19, 72-91.
    """
    if not isinstance(data, pd.DataFrame):
        raise DataError("`data` is a DataFrame whose columns have the names that the model uses")
    model = parse(syntax)
    if model.groups:
        raise DataError("Omega at two levels is of one group: leave the model's blocks for groups out")
    model = with_levels(model) if model.levels else _at_both_levels(model)
    _check_one_factor(model)
    fit, notes = fit_two_level(
        model,
        data,
        cluster=cluster,
        groups=("",),
        codes=np.zeros(len(data), dtype=int),
        estimator="ML",
        group_equal=(),
        std_lv=False,
    )
    (sample,) = fit.model.samples
    said = list(notes)
    owner = None
    if independent is not None:
        owner = owners(independent, data, sample)
        if owner.max() + 1 < FEW:
            few = f"Only {owner.max() + 1} units are independent"
            said.append(f"{few}: with fewer than {FEW}, intervals are too narrow")
    values, covariance = _sums(fit, owner)
    size = 1 / np.mean(1 / sample.cluster_sizes)
    found: dict[str, float] = {}
    for name, (signal, total) in _weights(size).items():
        estimate, lower, upper = _interval(signal, total, values, covariance, ci_prob)
        found |= {name: estimate, f"{name}_lower": lower, f"{name}_upper": upper}
        if np.isnan(lower):
            said.append(f"Omega `{name}` is not between 0 and 1, and has no interval")
    return MultilevelOmega(
        **found, n=sample.n, n_clusters=sample.n_clusters, notes=(*said, *_loading_notes(fit))
    )


def _at_both_levels(model: Syntax) -> Syntax:
    """A one-level model at both levels with equal loadings; the factor's variance at level 2 is free."""
    marked = [t for t in model.terms if t.op != "=~" and any(t.modifier.label)]
    if model.relations or marked:
        raise DataError(
            "A model with labels or constraints has to say what it means: write it at both levels"
        )
    inner = tuple(
        replace(t, modifier=replace(t.modifier, label=t.modifier.label or (f".{t.lhs}.{t.rhs}",)))
        if t.op == "=~"
        else t
        for t in model.terms
    )
    factors = {t.lhs for t in model.terms if t.op == "=~"}
    outer = tuple(t for t in inner if not _is_variance(t, factors))
    terms = tuple(replace(t, level=level) for level, part in (("1", inner), ("2", outer)) for t in part)
    return Syntax(terms, (), (), ("1", "2"))


def _is_variance(term: Term, factors: set[str]) -> bool:
    return term.op == "~~" and term.lhs == term.rhs and term.lhs in factors


def _check_one_factor(model: Syntax) -> None:
    within, between = (variables_of(terms_of(model, group="", number=1, level=level)) for level in "12")
    if len(within.latent) != 1 or len(between.latent) != 1:
        raise DataError("Omega at two levels is of one factor at each level, and the model has others")
    if set(within.indicators) != set(between.indicators):
        raise DataError("Omega at two levels is of the same items at both levels, and the model has others")
    more = [v for part in (within, between) for v in part.observed if v not in part.indicators]
    if more or within.predictors or between.predictors:
        raise DataError("Omega at two levels is of a factor and its items alone: leave regressions out")


def owners(independent: str | Sequence, data: pd.DataFrame, sample: TwoLevelSample) -> np.ndarray:
    """(cluster,) number of the independent unit in which each lies."""
    if isinstance(independent, str):
        if independent not in data.columns:
            raise DataError(f"The data have no column {independent}")
        independent = data[independent]
    codes, names = read_groups(independent, len(data), argument="independent")
    codes = codes[sample.position]
    owner = np.zeros(sample.n_clusters, dtype=int)
    owner[sample.cluster] = codes
    torn = codes != owner[sample.cluster]
    if torn.any():
        pair = sorted({names[codes[torn][0]], names[owner[sample.cluster][torn][0]]})
        raise DataError(
            f"A cluster lies in both '{pair[0]}' and '{pair[1]}' of `independent`: name clusters apart"
        )
    owner = np.unique(owner, return_inverse=True)[1]
    if owner.max() < 1:
        raise DataError(
            "All clusters lie in one unit of `independent`, so that nothing is known of its error"
        )
    return owner


def _sums(fit: Fit, owner: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The sum score's (common, total) variance within and then between, and their sampling covariance.

    To first order the estimates are linear in the moments without a model, so that the
    covariance of both follows from that of the moments.

    owner : (cluster,) independent unit, None if clusters are.
    """
    model = fit.model
    (sample,) = model.samples
    pairs = list(zip(model.blocks, model.moments(fit.theta)))
    free, saturated = moments_model(sample, *fit.covariates)
    implied = np.concatenate([_cells(block, m.sigma, m.mu) for block, (_, m) in zip(free.blocks, pairs)])
    information = two_level_expected(free, implied)
    slope = np.vstack([_cell_slopes(cells, *pair, model.n_free) for cells, pair in zip(free.blocks, pairs)])
    weighted = slope.T @ information
    reach = model.freedom.invert(weighted @ slope) @ weighted
    values, slopes = [], []
    levels = (sample.saturated.within, sample.saturated.between)
    for level, cells, (block, moments) in zip(levels, free.blocks, pairs):
        common, by_common = common_variance(block, moments, fit.theta)
        values += [common, level.cov.sum()]
        slopes += [by_common @ reach, _total_slope(cells, len(implied))]
    found = np.array(slopes)
    reached = np.linalg.solve(information, found.T)
    if owner is None:
        return np.array(values), found @ reached / model.n
    by_cluster = two_level_scores(free, saturated) @ reached / model.n
    return np.array(values), sum_by_unit(by_cluster, owner)


def common_variance(block: Block, moments: Moments, theta: np.ndarray) -> tuple[float, np.ndarray]:
    """The sum score's variance due to the factor, and its (free parameter,) derivatives."""
    entry = free_entries(block)
    moving = directions(block, moments)
    slope, by_residual = np.zeros(len(theta)), np.zeros(len(theta))
    np.add.at(slope, block.parameter[entry], 2 * moving.u.sum(axis=0) * moving.v.sum(axis=0))
    p = block.n_observed
    own = (block.kind == COVARIANCE) & (block.row < p) & (block.column < p)
    times = np.where(block.row == block.column, 1.0, 2.0) * own
    np.add.at(by_residual, block.parameter[entry], times[entry])
    return float(moments.sigma.sum() - by_residual @ theta - times @ block.value), slope - by_residual


def _cells(cells: Block, sigma: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """The moments that are parameters of `cells`."""
    at = free_entries(cells)
    row, column = cells.row[at], cells.column[at]
    return np.where(cells.kind[at] == COVARIANCE, sigma[row, column], mu[row])


def _cell_slopes(cells: Block, block: Block, moments: Moments, n_free: int) -> np.ndarray:
    """(moment, free parameter) derivatives of these moments."""
    moving = directions(block, moments)
    at = free_entries(cells)
    row, column = cells.row[at], cells.column[at]
    by_entry = moving.u[row] * moving.v[column] + moving.v[row] * moving.u[column]
    by_entry = np.where((cells.kind[at] == COVARIANCE)[:, None], by_entry, moving.d[row])
    found = np.zeros((n_free, len(at)))
    np.add.at(found, block.parameter[free_entries(block)], by_entry.T)
    return found.T


def _total_slope(cells: Block, n: int) -> np.ndarray:
    """(moment,) derivatives of the sum score's variance by the moments."""
    at = free_entries(cells)
    times = np.where(cells.row[at] == cells.column[at], 1.0, 2.0) * (cells.kind[at] == COVARIANCE)
    found = np.zeros(n)
    found[cells.parameter[at]] = times
    return found


def _weights(size: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Which of (common W, total W, common B, total B) make the signal, and which all variance."""
    return {
        "within": (np.array([1.0, 0, 0, 0]), np.array([0, 1.0, 0, 0])),
        "between": (np.array([0, 0, 1.0, 0]), np.array([0, 1 / size, 0, 1.0])),
        "two_level": (np.array([1.0, 0, 1.0, 0]), np.array([0, 1.0, 0, 1.0])),
    }


def _interval(
    signal: np.ndarray, total: np.ndarray, values: np.ndarray, covariance: np.ndarray, ci_prob: float
) -> tuple[float, float, float]:
    kept, lost = signal @ values, (total - signal) @ values
    estimate = float(kept / (kept + lost))
    if not 0 < estimate < 1 or kept <= 0:
        return estimate, np.nan, np.nan
    slope = signal / kept - (total - signal) / lost
    reach = norm.ppf((1 + ci_prob) / 2) * np.sqrt(slope @ covariance @ slope)
    middle = logit(estimate)
    return estimate, float(expit(middle - reach)), float(expit(middle + reach))


def _loading_notes(fit: Fit) -> list[str]:
    table = fit.table[fit.table["op"] == "=~"]
    within, between = (table[table["level"] == level].set_index("rhs")["est"] for level in (1, 2))
    notes = []
    if not np.allclose(within, between.reindex(within.index), rtol=1e-8):
        notes.append(
            "Loadings differ between levels, so that the construct does not mean the same at both: "
            "`within` and `two_level` assume that it does. Give loadings equal labels"
        )
    signs = np.sign(within)
    turned = list(within.index[signs * np.sign(signs.sum() or 1.0) < 0])
    if turned:
        notes.append(f"Some items load against the others: {', '.join(turned)}. Reverse them first")
    return notes
