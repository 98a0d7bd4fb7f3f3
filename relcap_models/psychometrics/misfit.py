"""Whether an item response model describes each item and each respondent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import chi2

from relcap_models.errors import DataError
from relcap_models.psychometrics.irt import ItemResponseFit
from relcap_models.psychometrics.irt_marginal import GRID, Marginal, normal_curve

LEAST_EXPECTED = 1.0


def item_fit(fit: ItemResponseFit) -> pd.DataFrame:
    """Does the model describe how people with equal totals answer each item?

    Parameters
    ----------
    fit : from `grm` or `gpcm`.

    Returns
    -------
    DataFrame by item. s_x2, df, p, rmsea : the S-X² of Orlando and Thissen (2000) for ordered answers (Kang &
    Chen 2008), from respondents who answered every item; within a total score, neighbouring categories are
    pooled until at least 1 respondent is expected in each. A small p, or an rmsea above about .05, says that
    the item does not follow the model. p and rmsea are NaN only where df is 0: too few cells are left.
    infit, outfit : mean squares at the EAP score, weighted by information and not (Wright & Masters 1982,
    ch. 5); expected near 1.

    Raises
    ------
    DataError
        If fewer than two respondents answered every item.
    """
    marginal = fit._marginal
    complete = np.array([marginal.did[:, b.rows].any(axis=1) for b in marginal.items]).all(axis=0)
    n = marginal.counts[complete].sum()
    if n < 2:
        raise DataError(f"S-X² needs respondents who answered every item, and there are {n:.0f}")
    observed = [_answers_by_total(marginal, item, complete) for item in range(len(marginal.items))]
    expected = _expected_by_total(marginal, fit._x, complete)
    rows = []
    for seen, share, block in zip(observed, expected, marginal.items):
        x2, df = _pooled_chi_square(seen, share * seen.sum(axis=1)[:, None])
        df = max(df - (block.parameters.stop - block.parameters.start), 0)
        rmsea = np.sqrt(max(x2 / df - 1, 0) / (n - 1)) if df else np.nan
        rows.append((x2, df, chi2.sf(x2, df) if df else np.nan, rmsea))
    table = pd.DataFrame(rows, columns=["s_x2", "df", "p", "rmsea"], index=fit.discrimination.index)
    deviation, variance, answered, _ = _residuals(fit)
    at = marginal.pattern_of
    table["infit"] = np.sum(deviation[at] ** 2, axis=0) / np.sum(variance[at], axis=0)
    standardized = np.divide(deviation**2, variance, out=np.zeros_like(variance), where=answered)
    table["outfit"] = np.sum(standardized[at], axis=0) / np.sum(answered[at], axis=0)
    return table


def person_fit(fit: ItemResponseFit) -> pd.DataFrame:
    """Does the model describe how each respondent answered?

    Returns
    -------
    DataFrame by respondent. zh : the standardized log-likelihood of Drasgow, Levine and Williams (1985) at
    the EAP score; below about −2 the answers contradict each other (careless, or another trait), far above
    2 they are more regular than the model allows. infit, outfit : mean squares over the answered items
    (Wright & Masters 1982, ch. 5). All are NaN for someone who answered nothing.
    """
    deviation, variance, answered, (surprise, surprise_variance) = _residuals(fit)
    some = answered.any(axis=1)
    columns = {
        "zh": _ratio(surprise, np.sqrt(surprise_variance), some),
        "infit": _ratio(np.sum(deviation**2, axis=1), np.sum(variance, axis=1), some),
        "outfit": _ratio(
            np.sum(np.divide(deviation**2, variance, out=np.zeros_like(variance), where=answered), axis=1),
            answered.sum(axis=1),
            some,
        ),
    }
    frame = pd.DataFrame(columns).iloc[fit._marginal.pattern_of]
    return frame.set_axis(fit._respondents, axis=0)


def _ratio(above: np.ndarray, below: np.ndarray, where: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(len(above), np.nan), where=where)


def _residuals(
    fit: ItemResponseFit,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """At each pattern's EAP score: (pattern, item) answer − expected, variance, answered or not; and
    (pattern,) log-likelihood − expected, variance. Zero where there is no answer."""
    marginal = fit._marginal
    theta = np.empty(len(marginal.counts))
    theta[marginal.pattern_of] = fit.scores()["theta"].to_numpy()
    shape = (len(theta), len(marginal.items))
    deviation, variance, answered = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=bool)
    surprise, surprise_variance = np.zeros((2, len(theta)))
    for i, block in enumerate(marginal.items):
        log_p = marginal.model.curve(fit._x[block.parameters], theta).log_p.T
        p, did = np.exp(log_p), marginal.did[:, block.rows]
        answered[:, i] = seen = did.any(axis=1)
        scores = np.arange(p.shape[1])
        expected = p @ scores
        deviation[:, i] = (did @ scores - expected) * seen
        variance[:, i] = (p @ scores**2 - expected**2) * seen
        mean = np.sum(p * log_p, axis=1)
        surprise += np.sum(did * log_p, axis=1) - mean * seen
        surprise_variance += (np.sum(p * log_p**2, axis=1) - mean**2) * seen
    return deviation, variance, answered, (surprise, surprise_variance)


def _answers_by_total(marginal: Marginal, item: int, complete: np.ndarray) -> np.ndarray:
    """(total, category) how many chose each category, among people with each total score."""
    codes = [marginal.did[complete, b.rows].argmax(axis=1) for b in marginal.items]
    block = marginal.items[item].rows
    most = sum(b.rows.stop - b.rows.start - 1 for b in marginal.items)
    table = np.zeros((most + 1, block.stop - block.start))
    np.add.at(table, (np.sum(codes, axis=0), codes[item]), marginal.counts[complete])
    return table


def _expected_by_total(marginal: Marginal, x: np.ndarray, complete: np.ndarray) -> list[np.ndarray]:
    """For each item (total, category) the probability of each answer given the total score.

    Lord and Wingersky's (1984) recursion gives the totals of the other items; the trait has the mixture of
    the groups' distributions.
    """
    size = [marginal.counts[complete] @ marginal.did[complete, b.rows.start] for b in marginal.groups]
    prior = np.average(
        [np.exp(normal_curve(x[b.parameters], GRID).log_p[0]) for b in marginal.groups], axis=0, weights=size
    )
    chances = [np.exp(marginal.model.curve(x[b.parameters], GRID).log_p) for b in marginal.items]
    # Totals of the items before and after each one, so that no total is worked out twice.
    before, after = [np.ones((1, len(GRID)))], [np.ones((1, len(GRID)))]
    for p in chances:
        before.append(_totals(before[-1], p))
    for p in reversed(chances):
        after.append(_totals(after[-1], p))
    found = []
    for i, p in enumerate(chances):
        rest = _totals(before[i], after[len(chances) - 1 - i]) * prior
        joint = np.zeros((len(rest) + len(p) - 1, len(p)))
        for k in range(len(p)):
            joint[k : k + len(rest), k] = rest @ p[k]
        found.append(joint / joint.sum(axis=1, keepdims=True))
    return found


def _totals(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(total, point) distribution of the sum of two independent scores at each point."""
    total = np.zeros((len(one) + len(other) - 1, one.shape[1]))
    for k, p in enumerate(other):
        total[k : k + len(one)] += one * p
    return total


def _pooled_chi_square(observed: np.ndarray, expected: np.ndarray) -> tuple[float, int]:
    """Chi-square over total scores that somebody has, and its degrees of freedom before parameters."""
    x2, df = 0.0, 0
    # The lowest and highest total leave no choice of answer.
    for seen, should in zip(observed[1:-1], expected[1:-1]):
        if seen.sum() == 0:
            continue
        seen, should = _pool(seen, should)
        x2 += float(np.sum((seen - should) ** 2 / should))
        df += len(seen) - 1
    return x2, df


def _pool(seen: Sequence[float], should: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Joins the rarest category to its rarer neighbour until every one is expected often enough."""
    seen, should = np.array(seen), np.array(should)
    while len(should) > 1 and should.min() < LEAST_EXPECTED:
        rare = int(np.argmin(should))
        beside = [k for k in (rare - 1, rare + 1) if 0 <= k < len(should)]
        into = min(beside, key=lambda k: should[k])
        seen[into] += seen[rare]
        should[into] += should[rare]
        seen, should = np.delete(seen, rare), np.delete(should, rare)
    return seen, should
