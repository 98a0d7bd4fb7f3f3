"""How the dimensions of an instrument go together within and between what is rated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import norm

from relcap_models.psychometrics.multilevel_reliability import owners
from relcap_models.psychometrics.structural.cfa import cfa
from relcap_models.psychometrics.structural.fit import with_estimates
from relcap_models.psychometrics.structural.result import parameter_frame
from relcap_models.psychometrics.structural.two_level_robust import unit_sandwich
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


def correlations(data: pd.DataFrame) -> pd.DataFrame:
    """The model's parameters, among them the correlations `within` and `between`.

    data : `a` and `b` of each rating, its `subject`, and the rater `unit` in which this lies.
    """
    fit = cfa(_MODEL, data, cluster="subject").fit
    (sample,) = fit.model.samples
    vcov = unit_sandwich(fit.model, fit.theta, owners("unit", data, sample))
    return parameter_frame(replace(fit, vcov=vcov, table=with_estimates(fit.table, fit.theta, vcov)))


def level_rows(scope: Scope, notes: Notes, *, ci_prob: float) -> Iterator[dict[str, object]]:
    """For each pair of dimensions, the correlation of their mean answers at each level.

    `within` is between people who rate the same relation or unit; `between` is of the relations or units,
    freed from people's disagreement (two-level maximum likelihood). Intervals take rater units as independent
    (sandwich), on Fisher's scale.
    Items' own errors are in the means: correlations of factors, which leave them out, are higher.
    """
    answers = scope.answers
    for pair in combinations(answers.dimensions, 2):
        means = [answers.items[answers.dimensions[d]].mean(axis=1, skipna=False) for d in pair]
        about = {"subject": answers.subject, "unit": answers.about["rater_unit"]}
        data = pd.DataFrame({"a": means[0], "b": means[1], **about}).dropna()
        dimension = " × ".join(pair)
        with notes.estimating(scope.split, scope.group, f"levels:{dimension}"):
            rows = correlations(data).set_index("lhs")
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
