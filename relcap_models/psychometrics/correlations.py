"""How items go together: one correlation (or covariance) matrix, and what was done to get it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics.items import Items, read_items, read_ordinal

# Eigenvalues below the first are no longer told from zero; they are set to the second (psych::cor.smooth).
SMALLEST_EIGENVALUE = 1e-12
SMOOTHED_EIGENVALUE = 1e-10
INDEFINITE = "The correlation matrix is not positive definite"


@dataclass(frozen=True)
class Correlation:
    """Correlations of items.

    matrix : (item, item), positive definite. n : respondents behind it, those with at least one answer.
    complete : every one of them answered every item. deviations : by item, standard deviations of what is
    correlated (one for what lies behind ordinal answers). acov : (pair, pair) asymptotic covariance matrix of
    polychoric correlations, in the order of `np.triu_indices`; None for others. notes : what a reader should
    know.
    """

    matrix: pd.DataFrame
    n: int
    complete: bool
    deviations: pd.Series
    acov: np.ndarray | None
    notes: tuple[str, ...]


def correlate(
    items: pd.DataFrame | np.ndarray, *, ordinal: bool, listwise: bool, least: int, smoothing: bool = True
) -> Correlation:
    """Correlations of items: Pearson's, or polychoric ones for `ordinal`.

    Parameters
    ----------
    items : a column for each item
    listwise : only respondents who answered every item; otherwise each pair uses those who answered both
    least : how many items there must be
    smoothing : mend a matrix that is not positive definite (and say so), in place of an error

    Raises
    ------
    DataError
        If an item cannot be used, nobody answered both items of a pair, or (listwise) there are no more
        respondents than items.
    FitError
        If the matrix is not positive definite and `smoothing` is off.
    """
    frame, answers = read_answers(items, ordinal=ordinal, listwise=listwise, least=least)
    said = _left_out(items, frame) if listwise else ()
    if ordinal:
        # Imported here, because most uses of correlations need no polychoric ones.
        from relcap_models.psychometrics.polychoric_correlations import polychoric

        found = polychoric(frame)
        matrix, notes = found.correlation, found.notes
        pairs = [f"{a}~~{b}" for a, b in combinations(frame.columns, 2)]
        acov = found.acov.loc[pairs, pairs].to_numpy()
        deviations = pd.Series(1.0, index=frame.columns)
    else:
        matrix, notes, acov = frame.corr(), (), None
        deviations = frame.std()
    _refuse_gaps(matrix)
    matrix, mended = _definite(matrix, smoothing=smoothing)
    # What `polychoric` says of an indefinite matrix, that it was left as it is, is then no longer true.
    kept = tuple(note for note in notes if not (mended and note.startswith(INDEFINITE)))
    return Correlation(matrix, *respondents(answers), deviations, acov, said + kept + mended)


def read_answers(
    items: pd.DataFrame | np.ndarray, *, ordinal: bool, listwise: bool, least: int
) -> tuple[pd.DataFrame, Items]:
    """Answers as they go to `polychoric` (if ordinal) and as numbers.

    Raises
    ------
    DataError
        If an item cannot be used, also because those who answered all items answered it alike.
    """
    if ordinal:
        codes = read_ordinal(items, least=least)
        values = np.where(codes.codes < 0, np.nan, codes.codes.astype(float))
        answers = Items(values, codes.names)
    else:
        answers = read_items(items, least=least)
    if listwise:
        whole = answers.listwise()
        answers = read_items(pd.DataFrame(whole.values, columns=list(whole.names)), least=least)
    return pd.DataFrame(answers.values, columns=list(answers.names)), answers


def _left_out(items: pd.DataFrame | np.ndarray, frame: pd.DataFrame) -> tuple[str, ...]:
    """How many did not answer every item; an error if those who did are too few for a matrix."""
    said = f"{len(items) - len(frame)} of {len(items)} respondents with missing answers were left out"
    if len(frame) <= frame.shape[1]:
        fewest = frame.columns[np.argmax(pd.DataFrame(items).isna().sum().to_numpy())]
        raise DataError(
            f"{len(frame)} respondents are too few for {frame.shape[1]} items. {said}: leave out items that "
            f"few answered, such as '{fewest}'"
        )
    return (said,) if len(items) > len(frame) else ()


def covariances(answers: Items) -> pd.DataFrame:
    """(item, item) covariances, each from the respondents who answered both items.

    Raises
    ------
    DataError
        If fewer than two answered both items of a pair.
    """
    matrix = pd.DataFrame(answers.values, columns=list(answers.names)).cov()
    _refuse_gaps(matrix)
    return matrix


def respondents(answers: Items) -> tuple[int, bool]:
    """How many gave at least one answer, and whether each of them gave all."""
    some = answers.answered.any(axis=1)
    return int(some.sum()), bool(answers.answered[some].all())


def smooth(matrix: pd.DataFrame) -> pd.DataFrame:
    """The correlation matrix with its eigenvalues made positive.

    Those below 1e-12 become 1e-10, and the diagonal is brought back to one, as
    `psych::cor.smooth` does.

    Source: Wothke (1993), Nonpositive definite matrices in structural modeling.
    """
    values, vectors = np.linalg.eigh(matrix.to_numpy())
    values = np.where(values < SMALLEST_EIGENVALUE, SMOOTHED_EIGENVALUE, values)
    mended = (vectors * values) @ vectors.T
    scale = np.sqrt(np.diag(mended))
    mended /= np.outer(scale, scale)
    return pd.DataFrame(mended, index=matrix.index, columns=matrix.columns)


def _definite(matrix: pd.DataFrame, *, smoothing: bool) -> tuple[pd.DataFrame, tuple[str, ...]]:
    values, vectors = np.linalg.eigh(matrix.to_numpy())
    if values[0] >= SMALLEST_EIGENVALUE:
        return matrix, ()
    # Items with large weights in the offending direction are those that the others determine.
    weights = np.abs(vectors[:, 0])
    tied = list(matrix.columns[weights > 0.1 * weights.max()])
    what = f"{INDEFINITE} (smallest eigenvalue {values[0]:.2g})"
    if not smoothing:
        raise FitError(
            f"{what}. Items {_quoted(tied)} nearly determine each other: leave one out, or keep only "
            "respondents who answered every item"
        )
    return smooth(matrix), (f"{what}: it was smoothed. Most involved: items {_quoted(tied)}",)


def _refuse_gaps(matrix: pd.DataFrame) -> None:
    rows, columns = np.nonzero(np.isnan(np.triu(matrix.to_numpy())))
    if rows.size:
        names = matrix.columns
        pairs = [f"'{names[i]}' and '{names[j]}'" for i, j in zip(rows[:5], columns[:5])]
        more = f" and {rows.size - 5} more" if rows.size > 5 else ""
        raise DataError(
            "Too few respondents answered both items, or all who did answered alike: "
            f"{'; '.join(pairs)}{more}. Leave one of each pair out"
        )


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
