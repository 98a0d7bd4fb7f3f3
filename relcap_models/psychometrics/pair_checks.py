"""What is wrong with pairs of items, or should be known about their correlations, in words."""

from __future__ import annotations

import numpy as np

from relcap_models.errors import DataError, Problem
from relcap_models.psychometrics.correlation_pairs import joint_table
from relcap_models.psychometrics.margins import Margin

NEARLY_ONE = 0.99
"""Correlations beyond this are named in a note."""


def joint_answers(margins: list[Margin], pairs: list[tuple[int, int]]) -> np.ndarray:
    """(item, item) counts; an error that names every pair without answers to correlate."""
    answered = np.column_stack([m.answered for m in margins]).astype(float)
    counts = (answered.T @ answered).astype(int)
    problems = []
    for i, j in pairs:
        if counts[i, j] < len(answered):
            both = margins[i].answered & margins[j].answered
            for margin, other in ((margins[j], margins[i]), (margins[i], margins[j])):
                seen = margin.values[both]
                if seen.size < 2 or seen.min() == seen.max():
                    few = f"fewer than two respondents answered both '{margin.name}' and '{other.name}'"
                    alike = f"all who answered '{other.name}' answered '{margin.name}' alike"
                    problems.append(
                        Problem("items", few if seen.size < 2 else alike, "Leave one of the two out")
                    )
                    break
    if problems:
        raise DataError(problems=problems)
    return counts


def pair_notes(
    margins: list[Margin],
    pairs: list[tuple[int, int]],
    correlation: np.ndarray,
    n_joint: np.ndarray,
    correct: tuple[float, float],
) -> list[str]:
    """What a reader of the correlations should know, each kind of finding in one sentence."""
    empty, empty_2x2, sparse, extreme = [], [], [], []
    for i, j in pairs:
        pair = f"{margins[j].name} and {margins[i].name}"
        if margins[i].ordinal and margins[j].ordinal:
            shape = (len(margins[j].categories), len(margins[i].categories))
            if (joint_table(margins[j].values, margins[i].values, shape) == 0).any():
                (empty_2x2 if shape == (2, 2) else empty).append(pair)
            if n_joint[i, j] < shape[0] * shape[1]:
                sparse.append(f"{pair} ({n_joint[i, j]})")
        if abs(correlation[i, j]) > NEARLY_ONE:
            extreme.append(f"{pair} ({correlation[i, j]:.3f})")
    notes = [note for margin in margins if (note := _skipped_note(margin))]
    if empty:
        notes.append(
            f"{len(empty)} of {len(pairs)} pairs have answers that nobody combined: {_some(empty)}. If a "
            "correlation looks wrong, collapse rare categories."
        )
    if empty_2x2:
        rests = (
            f"rest on the {correct[0]:g} put there" if correct[0] else "are driven to the end of the range"
        )
        notes.append(
            f"2×2 tables with an empty cell: {_some(empty_2x2)}. Their correlations {rests}: compare with "
            "another value of `correct`, or leave one of the two out."
        )
    if sparse:
        notes.append(f"Fewer joint answers than cells in the table: {_some(sparse)}. Collapse categories.")
    if extreme:
        notes.append(
            f"Correlations at or near ±1: {_some(extreme)}. Their standard errors mean little: leave one of "
            "the two out, or collapse categories."
        )
    return notes + definiteness_note(correlation)


def definiteness_note(correlation: np.ndarray) -> list[str]:
    """What to know of a correlation matrix that is not positive definite; empty if it is."""
    least = np.linalg.eigvalsh(correlation)[0]
    if least > 1e-10:
        return []
    return [
        f"The correlation matrix is not positive definite (smallest eigenvalue {least:.3g}): it is not "
        "smoothed. Leave out an item that others nearly determine, or smooth it."
    ]


def _skipped_note(margin: Margin) -> str:
    """Whole numbers between the lowest and highest category that do not occur."""
    categories = margin.categories
    if len(categories) == 0 or (categories % 1 != 0).any() or np.ptp(categories) > 2 * len(categories):
        return ""
    skipped = sorted(set(range(int(categories[0]), int(categories[-1]))) - set(categories.astype(int)))
    if not skipped:
        return ""
    return f"Nobody answered {margin.name} with {_some(list(map(str, skipped)))}, which has no threshold."


def _some(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
