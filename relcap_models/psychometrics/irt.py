"""Item response theory: how well each item of a scale tells respondents apart, and where on the trait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from relcap_models.errors import DataError
from relcap_models.psychometrics.irt_curves import GRADED, PARTIAL_CREDIT, ResponseModel, along_trait
from relcap_models.psychometrics.irt_em import fit, start_values
from relcap_models.psychometrics.irt_marginal import Marginal, arrange
from relcap_models.psychometrics.irt_notes import naming_causes, notes_on
from relcap_models.psychometrics.irt_scores import eap, map_scores
from relcap_models.psychometrics.items import OrdinalItems, read_groups, read_ordinal


@dataclass(frozen=True)
class ItemErrors:
    """Standard errors, from the observed information and the delta method.

    discrimination : (item,). difficulty : (item, threshold), NaN where the item has no such threshold.
    """

    discrimination: pd.Series
    difficulty: pd.DataFrame


@dataclass(frozen=True)
class ItemResponseFit:
    """What a graded response or generalised partial credit model says about items and respondents.

    The trait is standard normal in the first group; discriminations are on the logistic metric (D = 1).

    model : "grm" or "gpcm". loglik : marginal log-likelihood. n_parameters, n_respondents : counts.
    discrimination : (item,) slope a. A negative one means that the item runs against the others.
    difficulty : (item, threshold) columns b1, b2, …: where on the trait an answer at or above the category
        has probability one half (grm), or where two neighbouring categories are equally probable (gpcm).
        NaN only for thresholds that an item does not have.
    se : standard errors of both.
    group : table by group: n, mean and variance of the trait, and their standard errors (0 where fixed).
    notes : what a reader could misread, in sentences.
    """

    model: str
    loglik: float
    n_parameters: int
    n_respondents: int
    discrimination: pd.Series
    difficulty: pd.DataFrame
    se: ItemErrors
    group: pd.DataFrame
    notes: tuple[str, ...]
    _response: ResponseModel = field(repr=False)
    _marginal: Marginal = field(repr=False)
    _x: np.ndarray = field(repr=False)
    _respondents: pd.Index = field(repr=False)

    @property
    def aic(self) -> float:
        """Akaike's information criterion."""
        return 2 * self.n_parameters - 2 * self.loglik

    @property
    def bic(self) -> float:
        """Schwarz's information criterion."""
        return self.n_parameters * np.log(self.n_respondents) - 2 * self.loglik

    def item_information(self, theta: Sequence[float] | np.ndarray) -> pd.DataFrame:
        """How precisely each item measures at points of the trait: (point, item) Fisher information."""
        points = _points(theta)
        columns = {}
        for name, block in zip(self.discrimination.index, self._marginal.items):
            log_p, slope, _ = along_trait(self._response, self._x[block.parameters], points)
            columns[name] = np.sum(np.exp(log_p) * slope**2, axis=0)
        return pd.DataFrame(columns, index=pd.Index(points, name="theta"))

    def information(self, theta: Sequence[float] | np.ndarray) -> pd.Series:
        """How precisely all items together measure at points of the trait.

        Fisher information of the answers alone, so that 1 / sqrt(information) is the standard error of a
        maximum likelihood score there (Baker & Kim 2004, ch. 3).
        """
        return self.item_information(theta).sum(axis=1).rename("information")

    def scores(self, *, method: Literal["eap", "map"] = "eap") -> pd.DataFrame:
        """Where each respondent stands: columns theta and se, by respondent.

        `eap` is the mean and standard deviation of the trait given the answers (Bock & Mislevy 1982), `map`
        their mode and the curvature there. Both take the respondent's group's distribution as prior, and
        someone without answers has its mean.
        """
        if method not in ("eap", "map"):
            raise DataError(f"`method` is 'eap' or 'map', and not '{method}'")
        score = eap if method == "eap" else map_scores
        theta, se = score(self._marginal, self._x)
        at = self._marginal.pattern_of
        return pd.DataFrame({"theta": theta[at], "se": se[at]}, index=self._respondents)


def grm(
    items: pd.DataFrame | np.ndarray, *, group: Sequence | np.ndarray | pd.Series | None = None
) -> ItemResponseFit:
    """Graded response model (Samejima 1969): for answers such as disagree, …, agree.

    P(answer ≥ k) = logistic(a (θ − b_k)). Marginal maximum likelihood over 61 points on [−6, 6] (Bock &
    Aitkin 1981). Items with two categories are two-parameter logistic.

    Parameters
    ----------
    items : (respondent, item), at least three; missing answers are left out (missing at random). Categories
        that nobody chose are dropped.
    group : (respondent,) groups with the same items. Item parameters are equal across groups; the group that
        appears first is standard normal, and the others' means and variances are estimated. An item or
        category that a group never chose rests on the others, if the model can be estimated so.

    Raises
    ------
    DataError
        As for `read_ordinal`; if there are fewer than three items, or nobody answered in a group.
    FitError
        If the likelihood has no maximum; names the item or group, and what answers lack: items that a group
        answered alike, absent categories, many missing answers.
    """
    return _fit(GRADED, items, group)


def gpcm(items: pd.DataFrame | np.ndarray) -> ItemResponseFit:
    """Generalised partial credit model (Muraki 1992): each step to the next category has its difficulty.

    P(answer = k) ∝ exp(Σ_{j ≤ k} a (θ − b_j)); difficulties need not be in order. Otherwise as `grm`.

    Parameters
    ----------
    items : (respondent, item), at least three; missing answers are left out (missing at random). Categories
        that nobody chose are dropped.

    Raises
    ------
    DataError
        As for `read_ordinal`; if there are fewer than three items.
    FitError
        If the likelihood has no maximum; names the item.
    """
    return _fit(PARTIAL_CREDIT, items, None)


def _fit(
    model: ResponseModel,
    items: pd.DataFrame | np.ndarray,
    group: Sequence | np.ndarray | pd.Series | None,
) -> ItemResponseFit:
    read = read_ordinal(items, least=3)
    n = len(read.codes)
    groups, group_names = (np.zeros(n, dtype=int), ("all",)) if group is None else read_groups(group, n)
    silent = np.setdiff1d(np.arange(len(group_names)), groups[(read.codes >= 0).any(axis=1)])
    if silent.size:
        raise DataError(
            f"Nobody answered in group {', '.join(f"'{group_names[g]}'" for g in silent)}: leave it out"
        )
    n_categories = [len(categories) for categories in read.categories]
    marginal = arrange(model, read.codes, n_categories, groups, len(group_names))
    start = start_values(model, read.codes, n_categories)
    start = np.concatenate([start, np.zeros(marginal.n_parameters - len(start))])
    labels = [f"item '{name}'" for name in read.names] + [f"group '{name}'" for name in group_names]
    with naming_causes(read, groups, group_names):
        found = fit(marginal, start, labels)
    discrimination, difficulty, se = _item_tables(model, marginal, read, found.x, found.covariance)
    table = _group_table(marginal, found.x, found.covariance, np.bincount(groups), group_names)
    return ItemResponseFit(
        model=model.name,
        loglik=found.loglik,
        n_parameters=len(found.x),
        n_respondents=n,
        discrimination=discrimination,
        difficulty=difficulty,
        se=se,
        group=table,
        notes=notes_on(read, groups, discrimination, se.discrimination, table),
        _response=model,
        _marginal=marginal,
        _x=found.x,
        _respondents=items.index if isinstance(items, pd.DataFrame) else pd.RangeIndex(n),
    )


def _item_tables(
    model: ResponseModel, marginal: Marginal, read: OrdinalItems, x: np.ndarray, covariance: np.ndarray
) -> tuple[pd.Series, pd.DataFrame, ItemErrors]:
    index = pd.Index(read.names, name="item")
    most = max(len(categories) for categories in read.categories) - 1
    slopes, slopes_se = np.empty((2, len(index)))
    difficulty, difficulty_se = np.full((2, len(index), most), np.nan)
    for i, block in enumerate(marginal.items):
        slope, intercepts = x[block.parameters][0], x[block.parameters][1:]
        own = covariance[block.parameters, block.parameters]
        differences = model.differences(len(intercepts))
        b = -(differences @ intercepts) / slope
        jacobian = np.column_stack([-b / slope, -differences / slope])
        slopes[i], slopes_se[i] = slope, np.sqrt(own[0, 0])
        difficulty[i, : len(b)] = b
        difficulty_se[i, : len(b)] = np.sqrt(np.diag(jacobian @ own @ jacobian.T))
    columns = [f"b{k}" for k in range(1, most + 1)]
    name = "discrimination"
    errors = ItemErrors(
        pd.Series(slopes_se, index, name=name), pd.DataFrame(difficulty_se, index, columns=columns)
    )
    return pd.Series(slopes, index, name=name), pd.DataFrame(difficulty, index, columns=columns), errors


def _group_table(
    marginal: Marginal, x: np.ndarray, covariance: np.ndarray, sizes: np.ndarray, names: Sequence[str]
) -> pd.DataFrame:
    rows = [(sizes[0], 0.0, 1.0, 0.0, 0.0)]
    for size, block in zip(sizes[1:], marginal.groups[1:]):
        mean, log_sd = x[block.parameters]
        variance = np.exp(2 * log_sd)
        mean_se, log_sd_se = np.sqrt(np.diag(covariance)[block.parameters])
        rows.append((size, mean, variance, mean_se, 2 * variance * log_sd_se))
    columns = ["n", "mean", "variance", "mean_se", "variance_se"]
    return pd.DataFrame(rows, columns=columns, index=pd.Index(names, name="group"))


def _points(theta: Sequence[float] | np.ndarray) -> np.ndarray:
    points = np.atleast_1d(np.asarray(theta, dtype=float))
    if points.ndim != 1 or not np.isfinite(points).all():
        raise DataError("`theta` is a list of finite points of the trait")
    return points
