"""How the dimensions of an instrument go together within and between what is rated."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import norm

from relcap_models.psychometrics.structural.cfa import cfa
from relcap_models.psychometrics.survey.notes import Notes
from relcap_models.psychometrics.survey.scopes import Scope

_MODEL = """
level: 1
    a ~~ va*a
    b ~~ vb*b
    a ~~ c*b
level: 2
    a ~~ vA*a
    b ~~ vB*b
    a ~~ C*b
within := c / sqrt(va * vb)
between := C / sqrt(vA * vB)
"""


def level_rows(scope: Scope, notes: Notes, *, ci_prob: float) -> Iterator[dict[str, object]]:
    """For each pair of dimensions, the correlation of their mean answers at each level.

    `within` is between people who rate the same relation or unit; `between` is of the relations or units,
    freed from people's disagreement (two-level maximum likelihood; intervals by Fisher's transformation).
    Items' own errors are in the means: correlations of factors, which leave them out, are higher.
    """
    answers = scope.answers
    for pair in combinations(answers.dimensions, 2):
        means = [answers.items[answers.dimensions[d]].mean(axis=1, skipna=False) for d in pair]
        data = pd.DataFrame({"a": means[0], "b": means[1], "subject": answers.subject}).dropna()
        dimension = " × ".join(pair)
        with notes.estimating(scope.split, scope.group, f"levels:{dimension}"):
            rows = cfa(_MODEL, data, cluster="subject").parameters.set_index("lhs")
            reach = norm.ppf((1 + ci_prob) / 2)
            for level in ("within", "between"):
                r, se = rows.loc[level, ["est", "se"]].astype(float)
                if not (abs(r) < 1 and se > 0):
                    what = f"the correlation {level} is at its border"
                    notes.add(scope.split, scope.group, "not_estimated", f"levels:{dimension}", what)
                    continue
                limits = np.tanh(np.arctanh(r) + reach * se / (1 - r**2) * np.array([-1, 1]))
                found = {"estimate": r, "lower": limits[0], "upper": limits[1], "ci_prob": ci_prob}
                yield {"dimension": dimension, "level": level} | found
