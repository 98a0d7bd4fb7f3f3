"""The factor model of an instrument: one factor for each dimension, ordinal items, errors by rater unit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from scipy.stats import norm

from relcap_models.psychometrics.categorical_reliability import categorical_omega
from relcap_models.psychometrics.structural.cfa import cfa
from relcap_models.psychometrics.structural.result import CfaResult
from relcap_models.psychometrics.survey.answers import merge_rare
from relcap_models.psychometrics.survey.notes import Notes
from relcap_models.psychometrics.survey.scopes import Scope

FIT = {
    "chisq": "chisq.scaled",
    "df": "df.scaled",
    "p": "pvalue.scaled",
    "cfi": "cfi.scaled",
    "tli": "tli.scaled",
    "rmsea": "rmsea.scaled",
    "rmsea_lower": "rmsea.ci.lower.scaled",
    "rmsea_upper": "rmsea.ci.upper.scaled",
    "srmr": "srmr",
}
"""Columns, and lavaan's names of them. The limits of the RMSEA are those of 90 %."""


@dataclass(frozen=True)
class FactorModel:
    """An instrument's dimensions as factors, under names that the model syntax takes.

    factors : dimension → its items. Instruments may name items and dimensions as they please; in the syntax
    they are `f1`, `f2`, … and `y1`, `y2`, ….
    """

    factors: Mapping[str, Sequence[str]]

    @property
    def items(self) -> dict[str, str]:
        """Name in the syntax → item."""
        every = [item for items in self.factors.values() for item in items]
        return {f"y{k}": item for k, item in enumerate(every, start=1)}

    @property
    def dimensions(self) -> dict[str, str]:
        """Name in the syntax → dimension."""
        return {f"f{k}": dimension for k, dimension in enumerate(self.factors, start=1)}

    @property
    def syntax(self) -> str:
        code = {item: name for name, item in self.items.items()}
        lines = [
            f"{factor} =~ " + " + ".join(code[item] for item in self.factors[dimension])
            for factor, dimension in self.dimensions.items()
        ]
        return "\n".join(lines)

    def table(self, items: pd.DataFrame) -> pd.DataFrame:
        """Answers with the columns of the syntax."""
        return items[list(self.items.values())].set_axis(list(self.items), axis=1)


def factor_model(dimensions: Mapping[str, Sequence[str]]) -> tuple[FactorModel | None, list[str]]:
    """The model of dimensions with two items or more, and the items that are in none.

    None where nothing can be estimated: a single factor takes three items.
    """
    factors = {name: items for name, items in dimensions.items() if len(items) > 1}
    if len(factors) == 1 and len(next(iter(factors.values()))) < 3:
        factors = {}
    used = {item for items in factors.values() for item in items}
    left = [item for items in dimensions.values() for item in items if item not in used]
    return (FactorModel(factors) if factors else None), left


@dataclass(frozen=True)
class Measured:
    """Rows about one fitted factor model: `fit` (one), `parameters` and `reliability`."""

    fit: list[dict[str, object]]
    parameters: list[dict[str, object]]
    reliability: list[dict[str, object]]


def measure(scope: Scope, notes: Notes, *, ci_prob: float) -> Measured:
    """Fit the factor model to a group's ratings; what cannot be estimated is noted."""
    found = Measured([], [], [])
    model, left = factor_model(scope.answers.dimensions)
    for item in left:
        notes.add(scope.split, scope.group, "left_out", item, "its dimension has too few items for a factor")
    if model is None:
        return found
    notes.count_units(scope.split, scope.group, scope.answers.about["rater_unit"])
    items, merged = merge_rare(scope.answers.items)
    for item, categories in merged.items():
        notes.add(scope.split, scope.group, "merged", item, ", ".join(categories))
    with notes.estimating(scope.split, scope.group, "factor_model"):
        result = cfa(
            model.syntax,
            model.table(items),
            ordered=True,
            std_lv=True,
            missing="pairwise",
            cluster=scope.answers.about["rater_unit"],
        )
        for note in result.notes:
            notes.add(scope.split, scope.group, "said", "factor_model", _named(note, model))
        units = int(scope.answers.about["rater_unit"].nunique())
        found.fit.append({"n_ratings": result.n, "n_rater_units": units} | _fit_measures(result))
        found.parameters.extend(_parameters(result, model, ci_prob))
        with notes.estimating(scope.split, scope.group, "omega"):
            found.reliability.extend(_omega(result, model, ci_prob))
    return found


def _fit_measures(result: CfaResult) -> dict[str, float]:
    measures = result.fit_measures
    found = {name: float(measures.get(theirs, float("nan"))) for name, theirs in FIT.items()}
    if found["df"] == 0:
        # A model without degrees of freedom reproduces any answers: its fit says nothing.
        found |= dict.fromkeys(
            ("p", "cfi", "tli", "rmsea", "rmsea_lower", "rmsea_upper", "srmr"), float("nan")
        )
    return found


def _parameters(result: CfaResult, model: FactorModel, ci_prob: float) -> list[dict[str, object]]:
    """Standardised loadings, thresholds and correlations of factors, with intervals."""
    dimension_of = {item: d for d, items in model.factors.items() for item in items}
    reach = norm.ppf((1 + ci_prob) / 2)
    rows = []
    for row in result.parameters.itertuples():
        if row.op == "=~":
            item = model.items[row.rhs]
            named = {"dimension": model.dimensions[row.lhs], "item": item, "parameter": "loading"}
        elif row.op == "|":
            item = model.items[row.lhs]
            named = {"dimension": dimension_of[item], "item": item, "parameter": f"threshold_{row.rhs[1:]}"}
        elif row.op == "~~" and row.lhs != row.rhs and row.lhs in model.dimensions:
            pair = f"{model.dimensions[row.lhs]} × {model.dimensions[row.rhs]}"
            named = {"dimension": pair, "item": "", "parameter": "correlation"}
        else:
            continue
        limits = {"lower": row.est - reach * row.se, "upper": row.est + reach * row.se}
        rows.append({**named, "estimate": row.est, "se": row.se, **limits, "ci_prob": ci_prob})
    return rows


def _omega(result: CfaResult, model: FactorModel, ci_prob: float) -> list[dict[str, object]]:
    found = categorical_omega(result, ci_prob=ci_prob)
    rows = []
    for name, value in found.omega.items():
        limits = found.interval.loc[name]
        dimension = model.dimensions.get(str(name), "overall")
        row = {"dimension": dimension, "coefficient": "omega_categorical", "level": "rating"}
        rows.append(
            row | {"estimate": value, "lower": limits["lower"], "upper": limits["upper"], "ci_prob": ci_prob}
        )
    return rows


def _named(note: str, model: FactorModel) -> str:
    """A note with the instrument's own names of items and dimensions."""
    known = {**model.items, **model.dimensions}
    return re.sub(r"\b[yf]\d+\b", lambda found: known.get(found[0], found[0]), note)
