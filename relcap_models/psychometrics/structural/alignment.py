"""Alignment: compare many groups' means although some items work differently in some groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse.csgraph import connected_components
from scipy.stats import norm

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics.structural.alignment_loss import EPSILON, Aligned, Configural, align
from relcap_models.psychometrics.structural.cfa import cfa
from relcap_models.psychometrics.structural.invariance_models import check_plain
from relcap_models.psychometrics.structural.result import CfaResult
from relcap_models.psychometrics.structural.syntax import parse

CONNECTED, KEPT = 0.01, 0.001
TOO_MANY = 0.25
LOOSE = 0.5


@dataclass(frozen=True)
class Alignment:
    """Groups on a common scale.

    factors : a row for each group and factor with columns group, factor, mean, mean_se, variance,
        variance_se.
    parameters : a row for each aligned loading, intercept or threshold of each group with columns lhs, op,
        rhs, group, est, se, invariant (whether the group belongs to the set of groups that share it).
    agreement : a row for each of these parameters with columns lhs, op, rhs, r2 (share of the differences
        between groups' configural estimates that means and variances explain; 1 is invariance, NaN where
        groups do not differ) and n_invariant (groups that share it).
    loss : by factor, per parameter and pair of groups; 0.316 if all agree.
    configural : the model on which it rests. notes : what a reader should know.
    """

    factors: pd.DataFrame
    parameters: pd.DataFrame
    agreement: pd.DataFrame
    loss: pd.Series
    configural: CfaResult
    notes: tuple[str, ...]


def alignment(
    syntax: str,
    data: pd.DataFrame,
    *,
    ordered: Sequence[str] | bool = (),
    group: str | Sequence,
    estimator: str | None = None,
    fixed: str | None = None,
) -> Alignment:
    """How groups differ in their factor means, if most items work alike in most groups.

    Of all means and variances, which fit the data equally well while loadings and intercepts may differ,
    those are taken that leave few parameters with large differences between groups.

    Parameters
    ----------
    syntax : factors and their items, such as `trust =~ t1 + t2 + t3`, each item of one factor, and residual
        covariances (`t1 ~~ t2`), all without modifiers.
    data : a row for each respondent; those with missing answers are left out.
    ordered : items with ordered categories, two or more, or True for all. Their residual variances are 1 in
        all groups, and loadings and thresholds are compared on that scale.
    group : a column of the data, or each respondent's group.
    estimator : of the configural model, see `cfa`.
    fixed : the group whose means are 0 and whose variances are 1 (the method's FIXED). If left out, all means
        are estimated (FREE) and the variances' product is 1: their level is known only as far as loadings
        differ between groups, and a note says when it is not. Differences between means are known anyhow.

    A parameter is shared by a set of groups. The set starts as the most groups that are connected by pairs
    whose difference has p > .01; then groups that differ from the set's average with p < .001 leave it and
    the others enter, until nothing changes.

    Standard errors are by the delta method from those of the configural model, as in the source. They hold
    where parameters that are equal differ in the sample by less than about 0.1 (√ε, ε = .01), within which
    the loss is smooth; where they differ by more its curvature at the minimum says little about where other
    samples' minima lie, and errors are mostly too large, which a note says. In simulations of the source's
    design (continuous items, 100 to 1,000 respondents in each of 3 or 6 groups) mean errors of means were
    0.9 to 1.15 times the spread of the estimates; with items of three categories and 300 in each of 4 groups
    1.1 to 1.2 times, those of variances 1.2 to 1.5 times (Robitzsch 2025 finds the like).

    Where a fifth of the parameters differ, ε = .01 draws means and variances towards agreement by some
    hundredths also in endless samples: means of 0, 0.3 and 1 become 0, 0.26 and 0.99.

    Raises
    ------
    DataError
        If the model is more than that, `fixed` is no group, or the data cannot be read.
    FitError
        If the configural model does not converge or is not identified, or the groups cannot be aligned.

    Source: Asparouhov & Muthén (2014), Structural Equation Modeling 21, 495-508; Robitzsch (2025),
    Mathematics 13, 1915, on standard errors.
    """
    factors = _factors(syntax)
    configural = cfa(
        syntax,
        data,
        ordered=ordered,
        estimator=estimator,
        parameterization="theta",
        group=group,
        std_lv=True,
    )
    groups = configural.groups
    fixed = None if fixed is None else str(fixed)
    if fixed is not None and fixed not in groups:
        raise DataError(f"`fixed` is one of the groups {', '.join(groups)}, and not {fixed!r}")
    means, tables, agreements, loss, notes = [], [], [], {}, []
    for factor, items in factors.items():
        start, keys, covariance = _configural(configural, factor, items, fixed)
        found = align(start, covariance)
        table, agreement = _parameters(start, found, keys, groups)
        means.append(_means(factor, found, groups))
        tables.append(table)
        agreements.append(agreement)
        loss[factor] = found.loss
        notes += _notes(factor, found, table, fixed, groups)
    return Alignment(
        pd.concat(means, ignore_index=True),
        pd.concat(tables, ignore_index=True),
        pd.concat(agreements, ignore_index=True),
        pd.Series(loss, name="loss"),
        configural,
        (*configural.notes, *notes),
    )


def _factors(syntax: str) -> dict[str, tuple[str, ...]]:
    model = parse(syntax)
    check_plain(model.terms, "Alignment takes loadings and residual covariances without modifiers")
    found: dict[str, tuple[str, ...]] = {}
    for term in model.terms:
        if term.op == "=~":
            found[term.lhs] = (*found.get(term.lhs, ()), term.rhs)
    everything = [item for items in found.values() for item in items]
    twice = sorted({item for item in everything if everything.count(item) > 1})
    if twice or not found:
        raise DataError(
            f"{', '.join(twice)} belongs to more than one factor: alignment takes items of one factor each"
            if twice
            else "The model measures nothing with =~"
        )
    return found


def _configural(
    result: CfaResult, factor: str, items: tuple[str, ...], fixed: str | None
) -> tuple[Configural, list[tuple[str, str, str]], np.ndarray]:
    """One factor's estimates, their names (loadings first), and their covariance matrix."""
    table = result.fit.table
    ordinal = set(table.loc[table["op"] == "|", "lhs"])
    place = {
        (*key, block): free - 1
        for *key, block, free in table[["lhs", "op", "rhs", "block", "free"]].itertuples(index=False)
    }
    keys = [(factor, "=~", item) for item in items]
    for item in items:
        if item in ordinal:
            number = sum(1 for lhs, op, _, block in place if (lhs, op, block) == (item, "|", 0))
            keys += [(item, "|", f"t{k}") for k in range(1, number + 1)]
        else:
            keys.append((item, "~1", ""))
    blocks = range(len(result.groups))
    at = np.array([[place[(*key, b)] for b in blocks] for key in keys])
    values = result.fit.theta[at]
    n_items = len(items)
    # A factor may point the other way in some groups.
    way = np.sign(np.linalg.svd(values[:n_items])[2][0])
    way *= np.sign(way.sum()) or 1.0
    sign = np.ones_like(values)
    sign[:n_items] = way
    values = values * sign
    covariance = result.fit.vcov[np.ix_(at.ravel(), at.ravel())] * np.outer(sign.ravel(), sign.ravel())
    levels = keys[n_items:]
    start = Configural(
        loadings=values[:n_items],
        levels=values[n_items:],
        item=np.array([items.index(lhs) for lhs, _, _ in levels]),
        sign=np.array([1.0 if op == "~1" else -1.0 for _, op, _ in levels]),
        n=np.array([sample.n for sample in result.fit.model.samples], dtype=float),
        fixed=None if fixed is None else result.groups.index(fixed),
    )
    return start, keys, covariance


def _means(factor: str, found: Aligned, groups: tuple[str, ...]) -> pd.DataFrame:
    k = len(groups)
    error = np.sqrt(np.maximum(np.diag(found.covariance), 0.0))
    return pd.DataFrame(
        {
            "group": groups,
            "factor": factor,
            "mean": found.means,
            "mean_se": error[:k],
            "variance": found.variances,
            "variance_se": error[k : 2 * k],
        }
    )


def _parameters(
    start: Configural, found: Aligned, keys: list[tuple[str, str, str]], groups: tuple[str, ...]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    k = len(groups)
    rows, agreement = [], []
    for p, (key, shown) in enumerate(zip(keys, _explained(start, found))):
        at = slice((2 + p) * k, (3 + p) * k)
        covariance = found.covariance[at, at]
        shared = shared_by(found.parameters[p], covariance, start.n)
        error = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        rows += [
            (*key, *row) for row in zip(groups, found.parameters[p].tolist(), error.tolist(), shared.tolist())
        ]
        agreement.append((*key, shown, int(shared.sum())))
    names = ["lhs", "op", "rhs"]
    return (
        pd.DataFrame(rows, columns=[*names, "group", "est", "se", "invariant"]),
        pd.DataFrame(agreement, columns=[*names, "r2", "n_invariant"]),
    )


def _explained(start: Configural, found: Aligned) -> list[float]:
    """(parameter,) share of configural differences that follow from means and variances."""
    n_items = len(start.loadings)
    average = found.parameters.mean(axis=1)
    spread = np.sqrt(found.variances)
    expected = np.outer(average[:n_items], spread)
    shift = start.sign[:, None] * average[:n_items][start.item][:, None] * found.means
    expected = np.vstack([expected, average[n_items:][:, None] + shift])
    given = np.vstack([start.loadings, start.levels])
    total = given.var(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(
            total > 0, np.maximum(1 - (given - expected).var(axis=1) / total, 0.0), np.nan
        ).tolist()


def shared_by(values: np.ndarray, covariance: np.ndarray, n: np.ndarray) -> np.ndarray:
    """(group,) whether each belongs to the groups that share a parameter; see `alignment`."""
    k = len(values)
    unit = np.eye(k)
    pairs = unit[:, None, :] - unit[None, :, :]
    linked = _p(values, covariance, pairs.reshape(-1, k)).reshape(k, k) > CONNECTED
    label = connected_components(linked)[1]
    sizes = [((label == i).sum(), n[label == i].sum()) for i in range(label.max() + 1)]
    inside = label == max(range(len(sizes)), key=sizes.__getitem__)
    for _ in range(10 * k):
        average = inside / inside.sum()
        stays = _p(values, covariance, unit - average) > KEPT
        if not stays.any() or (stays == inside).all():
            break
        inside = stays
    return inside


def _p(values: np.ndarray, covariance: np.ndarray, contrast: np.ndarray) -> np.ndarray:
    """(contrast,) two-sided p-values; 1 for a group against itself."""
    error = np.sqrt(np.maximum(np.einsum("ci,ij,cj->c", contrast, covariance, contrast), 0.0))
    return 2 * norm.sf(np.abs(contrast @ values) / np.maximum(error, 1e-12))


def _notes(
    factor: str, found: Aligned, table: pd.DataFrame, fixed: str | None, groups: tuple[str, ...]
) -> list[str]:
    k = len(groups)
    notes = []
    if not np.isfinite(found.covariance).all():
        raise FitError(f"The groups could not be aligned on {factor}: leave out groups with few respondents")
    level = np.sqrt(max(found.covariance[:k, :k].mean(), 0.0))
    if fixed is None and level > LOOSE:
        notes.append(
            f"The level of the means of {factor} is hardly known (standard error {level:.2f}), since "
            "loadings differ little between groups: name a group in `fixed`, and read differences from it"
        )
    error = float(table["se"].median())
    if error > np.sqrt(EPSILON):
        notes.append(
            f"Standard errors of the means and variances of {factor} are rough, and mostly too large: "
            f"aligned parameters have a median error of {error:.2f}, and the loss is smooth only within "
            f"{np.sqrt(EPSILON):g}"
        )
    share = float((~table["invariant"]).mean())
    if share > TOO_MANY:
        notes.append(
            f"{share:.0%} of the parameters of {factor} differ from those that groups share: beyond "
            f"{TOO_MANY:.0%} aligned means may be wrong"
        )
    return notes
