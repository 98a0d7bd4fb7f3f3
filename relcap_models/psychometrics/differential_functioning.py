"""Whether an item means the same in every group: differential item functioning (DIF)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import chi2
from statsmodels.stats.multitest import multipletests

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics.irt_curves import GRADED, graded_curve
from relcap_models.psychometrics.irt_em import Estimate, fit, start_values
from relcap_models.psychometrics.irt_marginal import Marginal, all_curves, arrange, posterior
from relcap_models.psychometrics.irt_notes import naming_causes
from relcap_models.psychometrics.irt_scores import moments
from relcap_models.psychometrics.items import OrdinalItems, read_groups, read_ordinal
from relcap_models.psychometrics.ordinal_regression import ordinal_regression

COLUMNS = [
    "chi2",
    "df",
    "p",
    "p_uniform",
    "p_nonuniform",
    "r2_mcfadden",
    "r2_nagelkerke",
    "essd",
    "essd_group",
    "note",
]


def dif(items: pd.DataFrame | np.ndarray, group: Sequence | np.ndarray | pd.Series) -> pd.DataFrame:
    """Do people of different groups who stand equally on the trait answer each item alike?

    Parameters
    ----------
    items : (respondent, item), at least three, each answered by some and not alike in every group; missing
        answers are left out (missing at random).
    group : (respondent,), at least two groups. The one that appears first is the reference.

    Returns
    -------
    DataFrame by item, with the columns

    chi2, df, p, p_adjusted : likelihood-ratio test of the graded response model with the item free in each
        group against equal in all; the other items are anchors, and groups differ in mean and variance
        (Thissen, Steinberg & Wainer 1993). Thresholds that a group has no answers for cost no df.
    p_uniform, p_nonuniform, p_uniform_adjusted, p_nonuniform_adjusted : ordinal logistic regression
        (Zumbo 1999) on the EAP score from the other items: adding the group, then its interaction.
    r2_mcfadden, r2_nagelkerke : what both add to the pseudo R². Below .035 is negligible, above .070 is
        large (Jodoin & Gierl 2001, for Nagelkerke's).
    essd, essd_group : expected score standardized difference (Meade 2010), of the group where it is largest:
        what its members are expected to score more on the item than equal members of the reference, in sd
        of the expected score. Read it as Cohen's d.
    note : categories that a group never chose, and what could not be estimated: where the model with the
        item free has no maximum, chi2, df, p and essd are missing.

    p values are adjusted over items after Benjamini and Hochberg (1995).

    Raises
    ------
    DataError
        As for `grm`; if there is one group only, or a group answered an item alike or not at all.
    FitError
        As for `grm`.
    """
    read = read_ordinal(items, least=3)
    groups, names = read_groups(group, len(read.codes))
    _refuse(read, groups, names)
    anchored = fit_anchored(read, groups, names)
    rows = []
    for item in range(len(read.names)):
        freed = _compare(read, groups, names, item, anchored)
        regression = _regressions(read.codes[:, item], groups, anchored.rest_score(item))
        notes = _absent(read, groups, names, item) + freed.pop("problem") + regression.pop("problem")
        rows.append(freed | regression | {"note": "; ".join(notes)})
    table = pd.DataFrame(rows, index=pd.Index(read.names, name="item"))[COLUMNS]
    table[["chi2", "p", "essd"]] = table[["chi2", "p", "essd"]].astype(float)
    table["df"] = table["df"].astype("Int64")
    table["essd_group"] = ["" if pd.isna(g) else names[int(g)] for g in table["essd_group"]]
    for column in ("p", "p_uniform", "p_nonuniform"):
        table.insert(table.columns.get_loc(column) + 1, f"{column}_adjusted", adjusted(table[column]))
    return table


@dataclass(frozen=True)
class Anchored:
    """A graded response model of several groups, some items having parameters of their own in each.

    item_of : (column,) which item each column of the model is: a free item has a column for each group.
    categories : (column,) positions of the categories that occur among those of the item.
    """

    marginal: Marginal
    estimate: Estimate
    item_of: np.ndarray
    categories: tuple[np.ndarray, ...]

    def rest_score(self, item: int) -> np.ndarray:
        """(respondent,) EAP score from the other items, standardized.

        Each group's own distribution is its prior: with one for all, scores shrink towards the common mean,
        and groups that differ on the trait would seem to differ on the item.
        """
        curves = all_curves(self.marginal, self.estimate.x)
        for column in np.flatnonzero(self.item_of == item):
            curves[column] = curves[column]._replace(log_p=np.zeros_like(curves[column].log_p))
        score = moments(posterior(self.marginal, curves)[1])[0][self.marginal.pattern_of]
        return (score - score.mean()) / score.std()


def fit_anchored(
    read: OrdinalItems,
    groups: np.ndarray,
    names: Sequence[str],
    *,
    free: Sequence[int] = (),
    start: Anchored | None = None,
) -> Anchored:
    """The graded response model whose items are equal in all groups, which differ in mean and variance.

    groups : (respondent,) positions among the names. free : items that are not equal. start : the model with
    none, if it is known.

    Raises
    ------
    FitError
        As for `grm`.
    """
    codes, categories, item_of, labels = _columns(read, groups, names, free)
    n_categories = [len(chosen) for chosen in categories]
    if min(n_categories) < 2:
        raise FitError(f"Answers do not differ, or are missing, for {labels[int(np.argmin(n_categories))]}")
    marginal = arrange(GRADED, codes, n_categories, groups, len(names))
    if start is None:
        first = start_values(GRADED, codes, n_categories)
        first = np.append(first, np.zeros(marginal.n_parameters - len(first)))
    else:
        # Of the pooled parameters, a group's item keeps the slope and the thresholds below its categories.
        x, pooled = start.estimate.x, start.marginal
        own = [x[pooled.items[i].parameters] for i in item_of]
        parts = [part[np.append(0, chosen[1:])] for part, chosen in zip(own, categories)]
        first = np.concatenate([*parts, x[pooled.groups[0].parameters.start :]])
    labels += [f"group '{name}'" for name in names]
    with naming_causes(read, groups, names):
        return Anchored(marginal, fit(marginal, first, labels), item_of, categories)


def _columns(
    read: OrdinalItems, groups: np.ndarray, names: Sequence[str], free: Sequence[int]
) -> tuple[np.ndarray, tuple[np.ndarray, ...], np.ndarray, list[str]]:
    """A free item becomes one item for each group, which the other groups did not answer."""
    codes, categories, item_of, labels = [], [], [], []
    for i, name in enumerate(read.names):
        if i not in free:
            codes.append(read.codes[:, i])
            categories.append(np.arange(len(read.categories[i])))
            item_of.append(i)
            labels.append(f"item '{name}'")
            continue
        for g, group in enumerate(names):
            chosen = _chosen(read.codes, groups, i, g)
            column = np.full(len(groups), -1)
            there = (groups == g) & (read.codes[:, i] >= 0)
            column[there] = np.searchsorted(chosen, read.codes[there, i])
            codes.append(column)
            categories.append(chosen)
            item_of.append(i)
            labels.append(f"item '{name}' in group '{group}'")
    return np.column_stack(codes), tuple(categories), np.array(item_of), labels


def _refuse(read: OrdinalItems, groups: np.ndarray, names: Sequence[str]) -> None:
    if len(names) < 2:
        raise DataError(f"DIF compares groups, and everybody is in '{names[0]}'")
    problems = [
        f"'{item}' in group '{name}'"
        for i, item in enumerate(read.names)
        for g, name in enumerate(names)
        if len(_chosen(read.codes, groups, i, g)) < 2
    ]
    if problems:
        raise DataError(
            f"Answers do not differ, or are missing, for {', '.join(problems)}: DIF cannot be seen there. "
            "Leave the item or the group out"
        )


def _chosen(codes: np.ndarray, groups: np.ndarray, item: int, group: int) -> np.ndarray:
    answers = codes[groups == group, item]
    return np.unique(answers[answers >= 0])


def _absent(read: OrdinalItems, groups: np.ndarray, names: Sequence[str], item: int) -> list[str]:
    notes = []
    for g, name in enumerate(names):
        chosen = _chosen(read.codes, groups, item, g)
        absent = np.delete(read.categories[item], chosen)
        if absent.size:
            notes.append(f"nobody in group '{name}' chose {', '.join(f'{value:g}' for value in absent)}")
    return notes


def _compare(
    read: OrdinalItems, groups: np.ndarray, names: Sequence[str], item: int, anchored: Anchored
) -> dict:
    """Likelihood-ratio test and effect size of an item; missing, with the reason, if it cannot be free."""
    try:
        freed = fit_anchored(read, groups, names, free=[item], start=anchored)
    except FitError as error:
        missing = dict.fromkeys(("chi2", "df", "p", "essd", "essd_group"))
        return missing | {"problem": [f"not tested: {error}"]}
    statistic = max(2 * (freed.estimate.loglik - anchored.estimate.loglik), 0.0)
    df = len(freed.estimate.x) - len(anchored.estimate.x)
    essd, largest = _standardized_difference(freed, item, groups)
    return {
        "chi2": statistic,
        "df": df,
        "p": chi2.sf(statistic, df),
        "essd": essd,
        "essd_group": largest,
        "problem": [],
    }


def _standardized_difference(freed: Anchored, item: int, groups: np.ndarray) -> tuple[float, int]:
    """Meade's (2010) ESSD of the group where it is largest, and that group."""
    marginal, x = freed.marginal, freed.estimate.x
    score = moments(posterior(marginal, all_curves(marginal, x))[1])[0][marginal.pattern_of]
    columns = np.flatnonzero(freed.item_of == item)
    curves = [(x[marginal.items[c].parameters], freed.categories[c]) for c in columns]
    differences = [0.0]
    for g in range(1, len(curves)):
        theta = score[groups == g]
        focal, reference = (_expected_score(*curves[which], theta) for which in (g, 0))
        pooled = np.sqrt((np.var(focal) + np.var(reference)) / 2)
        differences.append(float((focal.mean() - reference.mean()) / pooled))
    largest = int(np.argmax(np.abs(differences[1:]))) + 1
    return differences[largest], largest


def _expected_score(parameters: np.ndarray, categories: np.ndarray, theta: np.ndarray) -> np.ndarray:
    return categories @ np.exp(graded_curve(parameters, theta).log_p)


def _regressions(answers: np.ndarray, groups: np.ndarray, score: np.ndarray) -> dict:
    """Ordinal logistic regression on the score, then with the group, then with its interaction."""
    seen = answers >= 0
    answers, groups, score = answers[seen], groups[seen], score[seen]
    dummies = (groups[:, None] == np.arange(1, groups.max() + 1)).astype(float)
    designs = (
        score[:, None],
        np.column_stack([score, dummies]),
        np.column_stack([score, dummies, dummies * score[:, None]]),
    )
    fits = [ordinal_regression(answers, design) for design in designs]
    logliks = np.array([fit.loglik for fit in fits])
    counts = np.bincount(answers)
    null = np.sum(counts * np.log(counts / counts.sum()))
    extra = dummies.shape[1]
    mcfadden = 1 - logliks / null
    nagelkerke = nagelkerke_r2(logliks, answers)
    steps = np.maximum(2 * np.diff(logliks), 0.0)
    return {
        "p_uniform": chi2.sf(steps[0], extra),
        "p_nonuniform": chi2.sf(steps[1], extra),
        "r2_mcfadden": mcfadden[2] - mcfadden[0],
        "r2_nagelkerke": nagelkerke[2] - nagelkerke[0],
        "problem": [] if all(fit.converged for fit in fits) else ["the regressions did not converge"],
    }


def nagelkerke_r2(logliks: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """(model,) pseudo R² of models of the same answers, against the model of their shares alone."""
    counts = np.bincount(answers)
    n, null = counts.sum(), np.sum(counts * np.log(counts / counts.sum()))
    return np.expm1(2 * (null - logliks) / n) / np.expm1(2 * null / n)


def adjusted(p: pd.Series) -> np.ndarray:
    """p values after Benjamini and Hochberg (1995), over those that are not missing."""
    tested = p.notna().to_numpy()
    found = np.full(len(p), np.nan)
    if tested.any():
        found[tested] = multipletests(p.to_numpy()[tested], method="fdr_bh")[1]
    return found
