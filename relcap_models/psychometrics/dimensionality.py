"""How many things items measure, and whether they have enough in common to ask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import chi2

from relcap_models.errors import DataError
from relcap_models.psychometrics.correlations import Correlation, correlate, read_answers
from relcap_models.psychometrics.extraction import extract


@dataclass(frozen=True)
class ParallelAnalysis:
    """Eigenvalues of the items beside those of answers that have nothing in common.

    components : by number (1, 2, …): `observed`, `random_mean`, `random` (the percentile that is compared),
    eigenvalues of the correlations
    factors : the same with communalities of one minimum-residual factor in the diagonal
    n_components, n_factors : observed eigenvalues before the first that is not larger than `random`
    n : respondents. notes : what a reader should know.
    """

    components: pd.DataFrame
    factors: pd.DataFrame
    n_components: int
    n_factors: int
    n: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class SamplingAdequacy:
    """Kaiser, Meyer and Olkin's measure, 0 to 1: overall, by_item. notes: what a reader should know."""

    overall: float
    by_item: pd.Series
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Sphericity:
    """Bartlett's test: chisq with df degrees of freedom and its pvalue. notes: what a reader should know."""

    chisq: float
    df: int
    pvalue: float
    notes: tuple[str, ...]


def parallel_analysis(
    items: pd.DataFrame | np.ndarray,
    *,
    ordinal: bool = False,
    n_iter: int = 100,
    seed: int = 0,
    percentile: float = 95.0,
) -> ParallelAnalysis:
    """How many components and factors explain more than they would in answers without any relation.

    Each item's answers are exchanged among those who gave them, `n_iter` times: the answers keep their
    distribution and their gaps, and lose what they have in common. Correlations use respondents who answered
    both items.

    Parameters
    ----------
    items : a column for each item, three or more
    ordinal : from polychoric correlations, also of the shuffled answers (slow with many items)
    n_iter : times. seed : of the shuffling.
    percentile : of the shuffled eigenvalues, that an observed one must exceed (psych::fa.parallel: 95)

    Raises
    ------
    DataError
        If an item cannot be used.

    Source: Horn (1965), Psychometrika 30, 179–185; Glorfeld (1995), Educational and Psychological Measurement
    55, 377–393 (percentile). psych::fa.parallel draws answers with replacement, and normal ones.
    """
    if n_iter < 1 or not 0 < percentile < 100:
        raise DataError("`n_iter` is at least 1, and `percentile` between 0 and 100")
    found = correlate(items, ordinal=ordinal, listwise=False, least=3)
    frame, _ = read_answers(items, ordinal=ordinal, listwise=False, least=3)
    rng = np.random.default_rng(seed)
    shuffled = np.array(
        [
            _eigenvalues(correlate(_shuffled(frame, rng), ordinal=ordinal, listwise=False, least=3))
            for _ in range(n_iter)
        ]
    )
    observed = _eigenvalues(found)
    components, factors = (
        pd.DataFrame(
            {
                "observed": observed[kind],
                "random_mean": shuffled[:, kind].mean(axis=0),
                "random": np.percentile(shuffled[:, kind], percentile, axis=0),
            },
            index=pd.RangeIndex(1, observed.shape[1] + 1, name="number"),
        )
        for kind in (0, 1)
    )
    return ParallelAnalysis(
        components, factors, _exceeding(components), _exceeding(factors), found.n, found.notes
    )


def kmo(items: pd.DataFrame | np.ndarray) -> SamplingAdequacy:
    """Whether items correlate because of what many share (near 1) or in pairs only (below .5).

    Correlations use respondents who answered both items.

    Parameters
    ----------
    items : a column for each item, two or more

    Raises
    ------
    DataError
        If an item cannot be used.
    FitError
        If items determine each other.

    Source: Kaiser & Rice (1974), Educational and Psychological Measurement 34, 111–117.
    """
    found = correlate(items, ordinal=False, listwise=False, least=2, smoothing=False)
    inverse = np.linalg.inv(found.matrix.to_numpy())
    scale = np.sqrt(np.diag(inverse))
    partial = (inverse / np.outer(scale, scale)) ** 2
    plain = found.matrix.to_numpy() ** 2
    np.fill_diagonal(partial, 0.0)
    np.fill_diagonal(plain, 0.0)
    by_item = pd.Series(
        plain.sum(axis=0) / (plain.sum(axis=0) + partial.sum(axis=0)), index=found.matrix.columns, name="kmo"
    )
    return SamplingAdequacy(float(plain.sum() / (plain.sum() + partial.sum())), by_item, found.notes)


def bartlett_sphericity(items: pd.DataFrame | np.ndarray) -> Sphericity:
    """Whether items correlate at all: a test against correlations of zero.

    Correlations use respondents who answered both items, and the test counts everybody with an answer.

    Parameters
    ----------
    items : a column for each item, two or more

    Raises
    ------
    DataError
        If an item cannot be used.
    FitError
        If items determine each other.

    Source: Bartlett (1951), Biometrika 38, 337–344.
    """
    found = correlate(items, ordinal=False, listwise=False, least=2, smoothing=False)
    p = len(found.matrix)
    chisq = -np.linalg.slogdet(found.matrix.to_numpy())[1] * (found.n - 1 - (2 * p + 5) / 6)
    df = p * (p - 1) // 2
    notes = found.notes
    if not found.complete:
        notes += (f"Answers are missing: the test takes all {found.n} respondents as complete: it is large",)
    return Sphericity(float(chisq), df, float(chi2.sf(chisq, df)), notes)


def _shuffled(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Answers exchanged among those who answered, so that each pair of items keeps its respondents."""
    values = frame.to_numpy(copy=True)
    for column in values.T:
        answered = ~np.isnan(column)
        column[answered] = rng.permutation(column[answered])
    return pd.DataFrame(values, columns=frame.columns)


def _eigenvalues(correlation: Correlation) -> np.ndarray:
    """(2, number) of components and of factors, in descending order."""
    matrix = correlation.matrix.to_numpy()
    shared = np.sum(extract(matrix, 1, method="minres").loadings ** 2, axis=1)
    reduced = matrix - np.diag(1 - shared)
    return np.array([np.linalg.eigvalsh(matrix)[::-1], np.linalg.eigvalsh(reduced)[::-1]])


def _exceeding(table: pd.DataFrame) -> int:
    larger = (table["observed"] > table["random"]).to_numpy()
    return int(len(larger) if larger.all() else np.argmin(larger))
