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
    n_categories = [len(categories) for categories in read.categories]
    marginal = arrange(GRADED, read.codes, n_categories, groups, len(names))
    start = start_values(GRADED, read.codes, n_categories)
    start = np.append(start, np.zeros(marginal.n_parameters - len(start)))
    group_labels = [f"group '{name}'" for name in names]
    labels = [f"item '{name}'" for name in read.names]
    with naming_causes(read, groups, names):
        anchored = fit(marginal, start, labels + group_labels)
    rows = []
    for item in range(len(read.names)):
        free = [label for i, label in enumerate(labels) if i != item]
        free += [f"{labels[item]} in {label}" for label in group_labels]
        freed = _compare(read, groups, item, marginal, anchored, free + group_labels)
        regression = _regressions(read.codes[:, item], groups, _rest_score(marginal, anchored.x, item))
        notes = _absent(read, groups, names, item) + freed.pop("problem") + regression.pop("problem")
        rows.append(freed | regression | {"note": "; ".join(notes)})
    table = pd.DataFrame(rows, index=pd.Index(read.names, name="item"))[COLUMNS]
    table[["chi2", "p", "essd"]] = table[["chi2", "p", "essd"]].astype(float)
    table["df"] = table["df"].astype("Int64")
    table["essd_group"] = ["" if pd.isna(g) else names[int(g)] for g in table["essd_group"]]
    for column in ("p", "p_uniform", "p_nonuniform"):
        table.insert(table.columns.get_loc(column) + 1, f"{column}_adjusted", _adjusted(table[column]))
    return table


@dataclass(frozen=True)
class _Freed:
    """The model with one item free. curves : (group,) parameters, and the pooled positions of categories."""

    loglik: float
    n_parameters: int
    curves: tuple[tuple[np.ndarray, np.ndarray], ...]
    theta: np.ndarray


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
    read: OrdinalItems,
    groups: np.ndarray,
    item: int,
    anchored: Marginal,
    estimate: Estimate,
    labels: Sequence[str],
) -> dict:
    """Likelihood-ratio test and effect size of an item; missing, with the reason, if it cannot be free."""
    try:
        freed = _free(read, groups, item, anchored, estimate, labels)
    except FitError as error:
        missing = dict.fromkeys(("chi2", "df", "p", "essd", "essd_group"))
        return missing | {"problem": [f"not tested: {error}"]}
    statistic = max(2 * (freed.loglik - estimate.loglik), 0.0)
    df = freed.n_parameters - anchored.n_parameters
    essd, largest = _standardized_difference(freed, groups)
    return {
        "chi2": statistic,
        "df": df,
        "p": chi2.sf(statistic, df),
        "essd": essd,
        "essd_group": largest,
        "problem": [],
    }


def _free(
    read: OrdinalItems,
    groups: np.ndarray,
    item: int,
    anchored: Marginal,
    estimate: Estimate,
    labels: Sequence[str],
) -> _Freed:
    """The item becomes one item for each group, which the other groups did not answer."""
    chosen = [_chosen(read.codes, groups, item, g) for g in range(len(anchored.groups))]
    split = np.full((len(groups), len(chosen)), -1)
    for g, categories in enumerate(chosen):
        there = (groups == g) & (read.codes[:, item] >= 0)
        split[there, g] = np.searchsorted(categories, read.codes[there, item])
    others = [i for i in range(len(read.names)) if i != item]
    n_categories = [len(read.categories[i]) for i in others] + [len(categories) for categories in chosen]
    wide = np.column_stack([read.codes[:, others], split])
    marginal = arrange(GRADED, wide, n_categories, groups, len(chosen))
    # Of the pooled parameters, a group's item keeps the slope and the thresholds below its categories.
    own = estimate.x[anchored.items[item].parameters]
    start = [estimate.x[anchored.items[i].parameters] for i in others]
    start += [own[np.append(0, categories[1:])] for categories in chosen]
    start.append(estimate.x[anchored.groups[0].parameters.start :])
    found = fit(marginal, np.concatenate(start), labels)
    curves = tuple((found.x[b.parameters], c) for b, c in zip(marginal.items[len(others) :], chosen))
    theta, _ = moments(posterior(marginal, all_curves(marginal, found.x))[1])
    return _Freed(found.loglik, len(found.x), curves, theta[marginal.pattern_of])


def _standardized_difference(freed: _Freed, groups: np.ndarray) -> tuple[float, int]:
    """Meade's (2010) ESSD of the group where it is largest, and that group."""
    differences = [0.0]
    for g in range(1, len(freed.curves)):
        theta = freed.theta[groups == g]
        focal, reference = (_expected_score(*freed.curves[which], theta) for which in (g, 0))
        pooled = np.sqrt((np.var(focal) + np.var(reference)) / 2)
        differences.append(float((focal.mean() - reference.mean()) / pooled))
    largest = int(np.argmax(np.abs(differences[1:]))) + 1
    return differences[largest], largest


def _expected_score(parameters: np.ndarray, categories: np.ndarray, theta: np.ndarray) -> np.ndarray:
    return categories @ np.exp(graded_curve(parameters, theta).log_p)


def _rest_score(marginal: Marginal, x: np.ndarray, item: int) -> np.ndarray:
    """(respondent,) EAP score from the other items, standardized.

    Each group's own distribution is its prior: with one for all, scores shrink towards the common mean, and
    groups that differ on the trait would seem to differ on the item.
    """
    curves = all_curves(marginal, x)
    curves[item] = curves[item]._replace(log_p=np.zeros_like(curves[item].log_p))
    score = moments(posterior(marginal, curves)[1])[0][marginal.pattern_of]
    return (score - score.mean()) / score.std()


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
    n, extra = counts.sum(), dummies.shape[1]
    mcfadden = 1 - logliks / null
    nagelkerke = -np.expm1(2 * (null - logliks) / n) / -np.expm1(2 * null / n)
    steps = np.maximum(2 * np.diff(logliks), 0.0)
    return {
        "p_uniform": chi2.sf(steps[0], extra),
        "p_nonuniform": chi2.sf(steps[1], extra),
        "r2_mcfadden": mcfadden[2] - mcfadden[0],
        "r2_nagelkerke": nagelkerke[2] - nagelkerke[0],
        "problem": [] if all(fit.converged for fit in fits) else ["the regressions did not converge"],
    }


def _adjusted(p: pd.Series) -> np.ndarray:
    tested = p.notna().to_numpy()
    adjusted = np.full(len(p), np.nan)
    if tested.any():
        adjusted[tested] = multipletests(p.to_numpy()[tested], method="fdr_bh")[1]
    return adjusted
