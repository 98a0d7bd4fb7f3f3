"""Linear constraints between parameters: the model is estimated in the directions that they leave."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd
from scipy.linalg import null_space

from relcap_models.errors import DataError, Problem
from relcap_models.psychometrics.structural.expressions import evaluate, gradient, names_in
from relcap_models.psychometrics.structural.syntax import Relation


@dataclass(frozen=True)
class Freedom:
    """All free parameters are origin + basis @ reduced.

    basis : (parameter, reduced). origin : (parameter,).
    """

    basis: np.ndarray
    origin: np.ndarray

    def invert(self, information: np.ndarray) -> np.ndarray:
        """(parameter, parameter) inverse of an information matrix within the constraints.

        Raises
        ------
        numpy.linalg.LinAlgError
            If it is singular there.
        """
        inner = self.basis.T @ information @ self.basis
        return self.basis @ np.linalg.inv(inner) @ self.basis.T

    def reduce(self, theta: np.ndarray) -> np.ndarray:
        """(reduced,) the nearest parameters that obey the constraints."""
        return np.linalg.lstsq(self.basis, theta - self.origin, rcond=None)[0]


def label_values(table: pd.DataFrame, theta: np.ndarray) -> dict[str, float]:
    """Value of every label, of free and of fixed parameters."""
    values: dict[str, float] = {}
    for number, label, fixed in zip(table["free"], table["label"], table["ustart"]):
        if label:
            values.setdefault(label, float(theta[number - 1] if number > 0 else fixed))
    return values


def label_numbers(table: pd.DataFrame) -> dict[str, int]:
    """Index of the free parameter behind each label; labels of fixed parameters are left out."""
    return {label: n - 1 for label, n in zip(table["label"], table["free"]) if label and n > 0}


def check_labels(table: pd.DataFrame, relations: tuple[Relation, ...]) -> None:
    """Raise a DataError that names every unknown label of `:=` and `==`, and the nearest known one."""
    known = list(dict.fromkeys(label for label in table["label"] if label))
    problems = []
    for relation in relations:
        used = names_in(relation.rhs) + (names_in(relation.lhs) if relation.op == "==" else ())
        for name in used:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                remedy = (
                    f"Nearest known: {near[0]}" if near else f"Known labels: {', '.join(known) or 'none'}"
                )
                problems.append(
                    Problem(
                        file="model",
                        row=relation.line,
                        message=f"no parameter is labelled '{name}'",
                        remedy=remedy,
                    )
                )
        if relation.op == ":=":
            known.append(relation.lhs)
    if problems:
        raise DataError(problems=problems)


def freedom(table: pd.DataFrame, relations: tuple[Relation, ...]) -> Freedom:
    """What `==` leaves free.

    Raises
    ------
    DataError
        If a constraint is not linear, or they contradict each other.
    """
    n = int(table["free"].max())
    equalities = [relation for relation in relations if relation.op == "=="]
    if not equalities:
        return Freedom(np.eye(n), np.zeros(n))
    number_of = label_numbers(table)
    rows, targets = np.zeros((len(equalities), n)), np.zeros(len(equalities))
    for i, relation in enumerate(equalities):
        text = f"({relation.lhs})-({relation.rhs})"
        slopes = [
            gradient(text, label_values(table, at)) for at in (np.full(n, 0.37), np.linspace(1.1, 2.3, n))
        ]
        if any(abs(slopes[0][k] - slopes[1][k]) > 1e-9 * (1 + abs(slopes[0][k])) for k in slopes[0]):
            raise DataError(
                f"model, row {relation.line}: `{relation.lhs} == {relation.rhs}` is not linear in its "
                "labels, and only linear constraints can be used"
            )
        for label, slope in slopes[0].items():
            if label in number_of:
                rows[i, number_of[label]] += slope
        targets[i] = -float(evaluate(text, label_values(table, np.zeros(n))))
    origin = np.linalg.lstsq(rows, targets, rcond=None)[0]
    if not np.allclose(rows @ origin, targets, atol=1e-9):
        raise DataError("The constraints with == contradict each other: drop one")
    return Freedom(null_space(rows), origin)
