"""What `cfa` returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import norm

from relcap_models.errors import DataError
from relcap_models.psychometrics.structural.constraints import label_numbers, label_values
from relcap_models.psychometrics.structural.expressions import evaluate, gradient
from relcap_models.psychometrics.structural.fit import Fit
from relcap_models.psychometrics.structural.modification import modification_indices
from relcap_models.psychometrics.structural.residuals import correlation_residuals
from relcap_models.psychometrics.structural.scores import factor_scores
from relcap_models.psychometrics.structural.standardize import standardized
from relcap_models.psychometrics.structural.two_level_scores import (
    intraclass_correlations,
    two_level_factor_scores,
)


@dataclass(frozen=True)
class CfaResult:
    """A fitted factor or structural model.

    parameters : a row for each parameter in lavaan's order, defined ones last, with columns lhs, op, rhs,
    group, level, label, est, se (0 where fixed), z, p, ci_lower, ci_upper (95 %), std_lv, std_all.
    fit_measures : by lavaan's names. notes : what a reader should know, such as negative variances.
    n : respondents used. groups : names in the order of `group` 1, 2, …
    measurement : after `sam` a row for each factor in each group with columns factor, group, n_items, chisq
    and df (of all groups), reliability (of its maximum-likelihood score); None after `cfa`.
    """

    parameters: pd.DataFrame
    fit_measures: pd.Series
    notes: tuple[str, ...]
    n: int
    groups: tuple[str, ...]
    fit: Fit = field(repr=False)
    measurement: pd.DataFrame | None = field(default=None, repr=False)

    @property
    def modification_indices(self) -> pd.DataFrame:
        """Expected drop of the chi-square for each parameter that could be added, largest first."""
        return modification_indices(self.fit)

    @property
    def icc(self) -> pd.DataFrame:
        """Share of each variable's variance between clusters, of two-level models: variable, group, icc."""
        if not self.fit.two_level:
            raise DataError("Intraclass correlations belong to two-level models: see the function `icc`")
        return intraclass_correlations(self.fit)

    @property
    def residuals(self) -> dict[str, pd.DataFrame]:
        """(observed, observed) sample minus implied correlations by group ('' if there are none).

        Of two-level models by level: `within` and `between`, with groups `group.within` and so on; sample
        correlations are those of the levels without a model.
        """
        found = correlation_residuals(self.fit)
        if self.fit.two_level:
            names = [
                f"{s.group}.{level}" if s.group else level
                for s in self.fit.model.samples
                for level in ("within", "between")
            ]
            return {
                name: pd.DataFrame(part, index=list(block.observed), columns=list(block.observed))
                for name, block, part in zip(names, self.fit.model.blocks, found)
            }
        return {
            sample.group: pd.DataFrame(part, index=list(block.observed), columns=list(block.observed))
            for block, sample, part in zip(self.fit.model.blocks, self.fit.model.samples, found)
        }

    def predict(self, *, method: str = "EBM") -> pd.DataFrame:
        """(respondent, latent) factor scores; the index is the row of the data.

        method : `EBM`, most probable given the model (regression scores of continuous variables), or `ML`,
        most likely from the answers alone (Bartlett's). See `factor_scores` for ordered items. Two-level
        models have `EBM` only, and columns (level, latent): a respondent's distance from the cluster, and
        the cluster's score.
        """
        if not self.fit.two_level:
            return factor_scores(self.fit, method=method)
        if method != "EBM":
            raise DataError("Two-level models have scores by method `EBM` only")
        return two_level_factor_scores(self.fit)


def parameter_frame(fit: Fit) -> pd.DataFrame:
    """The result's `parameters`."""
    table = fit.table
    moments = fit.model.moments(fit.theta)
    shown = table[["lhs", "op", "rhs", "group", "level", "label", "est", "se"]].copy()
    if not fit.two_level:
        shown["level"] = 1
    est = table["est"].to_numpy()
    shown["std_lv"] = standardized(table, est, fit.model.blocks, moments, observed=False)
    shown["std_all"] = standardized(table, est, fit.model.blocks, moments, observed=True)
    shown = pd.concat([shown, *_defined(fit, shown)], ignore_index=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        shown["z"] = np.where(shown["se"] > 0, shown["est"] / shown["se"], np.nan)
    shown["p"] = 2 * norm.sf(shown["z"].abs())
    reach = norm.ppf(0.975) * shown["se"]
    shown["ci_lower"], shown["ci_upper"] = shown["est"] - reach, shown["est"] + reach
    order = ["lhs", "op", "rhs", "group", "level", "label", "est", "se", "z", "p", "ci_lower", "ci_upper"]
    return shown[[*order, "std_lv", "std_all"]]


def _defined(fit: Fit, shown: pd.DataFrame) -> list[pd.DataFrame]:
    """Rows of the defined parameters, with standard errors by the delta method."""
    values = label_values(fit.table, fit.theta)
    number_of = label_numbers(fit.table)
    slopes = {label: np.eye(len(fit.theta))[number] for label, number in number_of.items()}
    scaled = {
        kind: {label: value for label, value in zip(shown["label"], shown[kind]) if label}
        for kind in ("std_lv", "std_all")
    }
    rows = []
    for relation in fit.relations:
        if relation.op != ":=":
            continue
        value = float(evaluate(relation.rhs, values))
        if not np.isfinite(value):
            raise DataError(
                f"model, row {relation.line}: `{relation.lhs} := {relation.rhs}` has no value here"
            )
        by_label = gradient(relation.rhs, values)
        slope = sum((w * slopes[k] for k, w in by_label.items() if k in slopes), np.zeros(len(fit.theta)))
        values[relation.lhs] = value
        slopes[relation.lhs] = slope
        row = {
            "lhs": relation.lhs,
            "op": ":=",
            "rhs": relation.rhs,
            "group": 0,
            "level": 0,
        }
        row |= {
            "label": relation.lhs,
            "est": values[relation.lhs],
            "se": float(np.sqrt(max(slope @ fit.vcov @ slope, 0.0))),
        }
        for kind, known in scaled.items():
            known[relation.lhs] = row[kind] = float(evaluate(relation.rhs, known))
        rows.append(row)
    return [pd.DataFrame(rows)] if rows else []
