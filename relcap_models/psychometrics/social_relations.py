"""The classical social relations model: who gives, who gets, and what is particular to a relation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics.round_robin import RoundRobin, read_round_robins
from relcap_models.psychometrics.social_relations_anova import (
    PARAMETERS,
    UNSTABLE,
    group_moments,
)
from relcap_models.psychometrics.social_relations_reml import fit_reml

# Groups of this many or fewer: TripleR's authors advise against the t test between groups.
FEW_GROUPS = 8
# Variances below this share of all are rounding.
ROUNDING = 1e-10


@dataclass(frozen=True)
class SocialRelations:
    """Variances of a round robin.

    variances : actor (how raters differ), partner (how targets differ), relationship (what neither explains).
        With two indicators the relationship is free of error, and `error` holds what they do not share; with
        one the relationship includes error.
    covariances : actor_partner (do those who give more get more), relationship (reciprocity within pairs).
    correlations : the same as correlations, cut to [−1, 1]; NaN with a note where a variance is not positive.
    se : standard errors of actor, partner, relationship, cov_actor_partner and cov_relationship.
    groups : by group, n_persons, n_ratings and, for anova, each group's own estimates.
    log_likelihood : restricted, for reml with one indicator; else None.
    notes : what was left out, and what to be careful about.
    """

    variances: pd.Series
    covariances: pd.Series
    correlations: pd.Series
    se: pd.Series
    groups: pd.DataFrame
    log_likelihood: float | None
    notes: tuple[str, ...]


def srm_variances(
    ratings: pd.DataFrame,
    *,
    rater: str,
    target: str,
    value: str | tuple[str, str],
    group: str | None = None,
    method: Literal["anova", "reml"] = "anova",
    se: Literal["between_groups", "within_groups"] = "between_groups",
) -> SocialRelations:
    """How far ratings depend on who gives them, on who gets them, and on the two together.

    Parameters
    ----------
    ratings : a row for each rating. Self ratings are not used. The same person's name in two groups stands
        for two persons.
    rater, target, group : columns with the names of persons and of groups
    value : column with the ratings; a pair of columns are two indicators of one construct, from whose
        agreement the relationship is told from error.
    method : `anova`, the method of moments, each group on its own and averaged with weights of persons − 1;
        estimates can be negative. Persons who rate nobody or whom nobody rates are left out, and groups of
        fewer than four. A missing rating is replaced by the mean of its rater's and its target's mean until
        effects change by less than .01, and its pair is left out of the relationship, without a change of
        the divisor, as TripleR 1.5.4 does; the relationship variance comes out too small by about the share
        of pairs left out, and with many missing the others do too.
        `reml`, restricted maximum likelihood with a mean for each group and normal effects, which uses every
        rating and keeps variances from being negative. It is the same as anova for one complete group if
        that is admissible, and the better choice with missing ratings. Two indicators are taken as
        exchangeable, and a rating needs both.
    se : for anova with several groups, from the spread of estimates between groups, or the pooled errors of
        the groups (Lashley & Bond, 1997), which rest on normal effects but do with few groups. One group has
        the latter (Bond & Lashley, 1996). reml has those of the expected information.

    Raises
    ------
    DataError
        If columns are not there, ratings are no numbers or given twice, or no group can be used.
    FitError
        If reml's likelihood has no unique maximum, for example because no two persons rated each other.

    Source: Warner, Kenny & Stoto (1979); Kenny (1994), Appendix B; Bond & Lashley (1996), Psychometrika 61;
    Schönbrodt, Back & Schmukle (2012), Behavior Research Methods 44, 455–470.
    """
    if method not in ("anova", "reml") or se not in ("between_groups", "within_groups"):
        raise DataError(f"method '{method}' is anova or reml, se '{se}' between_groups or within_groups")
    values = (value,) if isinstance(value, str) else tuple(value)
    if len(values) not in (1, 2) or len(set(values)) < len(values):
        raise DataError("`value` is one column, or a pair of different columns")
    groups, notes = read_round_robins(ratings, rater, target, values, group)
    estimate = _anova if method == "anova" else _reml
    return estimate(groups, notes, se)


def _anova(groups: tuple[RoundRobin, ...], notes: list[str], se: str) -> SocialRelations:
    kept = []
    for robin in groups:
        closed = robin.closed()
        if len(closed.persons) < len(robin.persons):
            lost = [str(person) for person in robin.persons if person not in set(closed.persons)]
            notes.append(
                f"Group {robin.name}: {len(lost)} persons gave or got no rating and are left out "
                f"({', '.join(lost[:10])}{', …' if len(lost) > 10 else ''})"
            )
        if len(closed.persons) < 4:
            notes.append(f"Group {robin.name} has {len(closed.persons)} persons, fewer than four: left out")
            continue
        if closed.n_pairs == 0:
            notes.append(f"Group {robin.name}: no two persons rated each other: left out")
            continue
        kept.append(closed)
    if not kept:
        raise DataError("No group can be used. " + ". ".join(notes))
    missing = [robin for robin in kept if robin.missing > 0]
    if missing:
        most = max(missing, key=lambda robin: robin.missing)
        notes.append(
            f"Ratings are missing in {len(missing)} of {len(kept)} groups, most in {most.name} "
            f"({most.missing:.0%}): anova takes variances as too small, reml does not"
        )
    moments = [group_moments(robin) for robin in kept]
    table = _table(kept).join(pd.DataFrame([each.estimates for each in moments], index=_names(kept)))
    errors = pd.DataFrame([each.se for each in moments], index=_names(kept))
    weights = table["n_persons"] - 1
    found = table[list(PARAMETERS)].mul(weights, axis=0).sum() / weights.sum()
    if len(kept) > 1 and se == "between_groups":
        spread = _between(table[list(PARAMETERS)], weights)
        if len(kept) <= FEW_GROUPS:
            notes.append(f"Standard errors rest on {len(kept)} groups; `within_groups` is surer with so few")
    else:
        spread = np.sqrt(errors.pow(2).mul(weights**2, axis=0).sum()) / weights.sum()
    error = None
    if UNSTABLE[0] in table:
        # TripleR weighs these by persons, not persons − 1, and cuts them at zero after averaging.
        unstable = table[list(UNSTABLE)].mul(table["n_persons"], axis=0).sum() / table["n_persons"].sum()
        error = float(unstable.clip(lower=0).sum())
    return _result(found, spread, error, table, None, notes)


def _between(estimates: pd.DataFrame, weights: pd.Series) -> pd.Series:
    """Standard error of the weighted mean, as SOREMO's and TripleR's t test between groups has it."""
    total = weights.sum()
    squares = estimates.pow(2).mul(weights, axis=0).sum() * total
    variance = (squares - estimates.mul(weights, axis=0).sum() ** 2) / (total**2 - weights.pow(2).sum())
    return np.sqrt(variance.clip(lower=0) / len(weights))


def _reml(groups: tuple[RoundRobin, ...], notes: list[str], _: str) -> SocialRelations:
    blocks = [robin.ratings for robin in groups]
    if blocks[0].shape[0] == 1:
        fit = fit_reml([ratings[0] for ratings in blocks])
        found, covariance, error = fit.estimates, fit.covariance, None
        notes += fit.notes
        likelihood = fit.log_likelihood
    else:
        # Of exchangeable indicators the mean and half the difference are independent: the variance of the
        # mean is what they share and half of what they do not, that of half the difference the latter half.
        mean = fit_reml([ratings.mean(axis=0) for ratings in blocks])
        half = fit_reml([(ratings[0] - ratings[1]) / 2 for ratings in blocks])
        found, covariance = mean.estimates - half.estimates, mean.covariance + half.covariance
        error, likelihood = float(2 * half.estimates[list(PARAMETERS[:3])].sum()), None
        notes += mean.notes + [f"Difference of the indicators: {note}" for note in half.notes]
    spread = pd.Series(np.sqrt(np.diag(covariance)), index=found.index)
    return _result(found, spread, error, _table(groups), likelihood, notes)


def _result(
    found: pd.Series,
    spread: pd.Series,
    error: float | None,
    table: pd.DataFrame,
    likelihood: float | None,
    notes: list[str],
) -> SocialRelations:
    variances = found[["actor", "partner", "relationship"]]
    if error is not None:
        variances = pd.concat([variances, pd.Series({"error": error})])
    covariances = pd.Series(
        {"actor_partner": found["cov_actor_partner"], "relationship": found["cov_relationship"]}
    )
    parts = found[["actor", "partner", "relationship"]]
    none = list(parts.index[parts <= ROUNDING * parts.abs().sum()])
    if none:
        notes.append(
            f"Variance not positive ({', '.join(none)}): read as zero; there is no correlation of it"
        )
    parts = parts.where(~parts.index.isin(none), 0.0)
    scales = {
        "actor_partner": parts["actor"] * parts["partner"],
        "relationship": parts["relationship"] ** 2,
    }
    correlations = pd.Series(
        {name: covariances[name] / scale**0.5 if scale > 0 else np.nan for name, scale in scales.items()}
    )
    outside = [name for name in scales if abs(correlations[name]) > 1]
    if outside:
        notes.append(f"A correlation is beyond 1 and cut ({', '.join(outside)}): its variances are near zero")
    if not np.isfinite(spread.to_numpy(dtype=float)).all():
        raise FitError("Standard errors are not finite: the ratings say too little about some variance")
    return SocialRelations(
        variances=variances.rename("variance"),
        covariances=covariances.rename("covariance"),
        correlations=correlations.clip(-1, 1).rename("correlation"),
        se=spread[list(PARAMETERS)].rename("se"),
        groups=table,
        log_likelihood=likelihood,
        notes=tuple(notes),
    )


def _names(groups: list[RoundRobin] | tuple[RoundRobin, ...]) -> pd.Index:
    return pd.Index([robin.name for robin in groups], name="group")


def _table(groups: list[RoundRobin] | tuple[RoundRobin, ...]) -> pd.DataFrame:
    counts = {
        "n_persons": [len(robin.persons) for robin in groups],
        "n_ratings": [robin.n_ratings for robin in groups],
    }
    return pd.DataFrame(counts, index=_names(groups))
