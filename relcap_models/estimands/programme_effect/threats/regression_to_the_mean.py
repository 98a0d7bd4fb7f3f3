"""What choosing the lowest does by itself: much of why they were low does not last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.estimands.programme_effect import notes
from relcap_models.estimands.programme_effect.comparisons.relation_regression import LEAST_CLUSTERS
from relcap_models.estimands.programme_effect.threats.case import Case, Row, blank
from relcap_models.models.exposure import TARGET_END
from relcap_models.seeds import generator

THREAT = "regression_to_the_mean"
RESAMPLES, DRAWS = 200, 20
"""Samples of clusters, each with variances of its own, and draws of the selection from each."""
LEAST_COMPARISONS = 10
"""Clusters that never start, from which on their waves tell how stable they are."""


@dataclass(frozen=True)
class Spread:
    """Variances of clusters' means: stable over waves, of single waves, and (cluster,) of who answered."""

    stable: float
    wave: float
    sampling: np.ndarray
    source: str

    @property
    def total(self) -> float:
        """Variance in one wave."""
        return self.stable + self.wave + float(self.sampling.mean())

    @property
    def stability(self) -> float:
        """Share of it that lasts."""
        return self.stable / self.total


def regression_to_the_mean_rows(case: Case) -> Iterator[Row]:
    """What is `observed`, and what would be without any effect where the lowest are chosen (`simulated`, with
    the interval of its draws): the `gap_at_start` between chosen and others in the last wave before the first
    start, the `change` of the chosen since then, and the `difference` of that to the others. p is the share
    of draws in which selection alone does as much. `stability` is the share of the variance that lasts,
    and the `expected` difference what it makes of the gap that is observed, whoever was chosen.

    Chosen and low is as others see them: means over relations by target unit (or district).
    """
    if case.model.chosen != "lowest":
        return
    if case.exposed.own:
        yield blank(THREAT, notes.OTHER_RATINGS, quantity="change")
        return
    means, sampling, start = cluster_means(case)
    chosen = start < case.exposed.exposure.never
    if len(means) < LEAST_CLUSTERS or chosen.all() or not chosen.any():
        yield blank(THREAT, notes.NO_COMPARISON, quantity="change")
        return
    base = int(start.min()) - 1
    spread = spread_of(means, sampling, start, base)
    if not spread.total > 0:
        yield blank(THREAT, notes.NOT_ESTIMATED, quantity="change")
        return
    simulated = null_draws(means, sampling, start, base, seed=case.seed)
    observed = observed_change(means, start, base)
    tails = [(1 - case.ci_prob) / 2, (1 + case.ci_prob) / 2]
    template = {"threat": THREAT, "estimand": TARGET_END, "n": int(chosen.sum()), "note": ""}
    yield template | {
        "variant": "simulated",
        "quantity": "stability",
        "value": spread.stability,
        "note": spread.source,
    }
    for quantity, draws in simulated.items():
        lower, upper = np.quantile(draws, tails)
        figures = {"value": float(draws.mean()), "lower": lower, "upper": upper}
        yield template | {"variant": "simulated", "quantity": quantity, **figures}
        p = (1 + (draws >= observed[quantity]).sum()) / (1 + len(draws))
        p = np.nan if quantity == "gap_at_start" else float(p)
        far = quantity == "gap_at_start" and observed[quantity] > upper
        yield template | {
            "variant": "observed",
            "quantity": quantity,
            "value": observed[quantity],
            "p": p,
            "note": notes.NOT_LOWEST if far else "",
        }
    expected = -(1 - spread.stability) * observed["gap_at_start"]
    yield template | {"variant": "expected", "quantity": "difference", "value": expected}


def cluster_means(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of clusters that others rate in every wave: (cluster, wave) mean over relations, (cluster,) variance of
    the last mean before the first start that comes from who answered, (cluster,) start."""
    rows, exposure = case.rows, case.exposed.exposure
    table = rows.pivot_table(index="cluster_target", columns="wave", values=case.outcome, aggfunc="mean")
    table = table.dropna()
    start = pd.Series(exposure.start).groupby(exposure.cluster_of_unit).min()
    # A district starts with its first unit; where units are clusters this is their own start.
    begun = start.reindex(table.index).to_numpy()
    sampling = _sampling(case, int(begun.min(initial=exposure.never)) - 1).reindex(table.index).fillna(0.0)
    return table.to_numpy(), sampling.to_numpy(), begun


def spread_of(means: np.ndarray, sampling: np.ndarray, start: np.ndarray, base: int) -> Spread:
    """How much of clusters' differences at the base wave lasts.

    Two waves or more before the start: their covariance. One: the slope of the wave after on the base wave
    among those that never start. Selection by the base wave does not bias that. Too few of these: nothing
    but the sampling of respondents counts as passing.
    """
    before = means[:, : base + 1]
    never = start >= means.shape[1]
    error = float(sampling.mean())
    if base > 0:
        covariance = np.cov(before, rowvar=False)
        total = float(np.diag(covariance).mean())
        stable = float(covariance[np.triu_indices(base + 1, 1)].mean())
        source = notes.FROM_WAVES_BEFORE
    else:
        total = float(before.var(ddof=1))
        if never.sum() >= LEAST_COMPARISONS:
            pair = np.cov(means[never, base], means[never, base + 1])
            slope = float(pair[0, 1] / pair[0, 0]) if pair[0, 0] > 0 else 0.0
            stable, source = total * slope, notes.FROM_COMPARISONS
        else:
            stable, source = total - error, notes.SAMPLING_ONLY
    # Estimates may fall out of what can be: errors alone never make more than all the variance.
    sampling = sampling * min(1.0, total / error) if error > 0 else sampling
    true = max(total - float(sampling.mean()), 0.0)
    stable = float(np.clip(stable, 0.0, true))
    return Spread(stable, true - stable, sampling, source)


def null_draws(
    means: np.ndarray, sampling: np.ndarray, start: np.ndarray, base: int, *, seed: int
) -> dict[str, np.ndarray]:
    """(draw,) of each quantity without any effect, with the uncertainty of how stable clusters are.

    Clusters are drawn again, chosen and others apart, and the variances estimated from each sample.
    """
    random = generator(seed, THREAT, "variances")
    chosen = start < means.shape[1]
    sides = np.flatnonzero(chosen), np.flatnonzero(~chosen)
    waves = means.shape[1] - np.where(chosen, start, base + 1)
    found = []
    for k in range(RESAMPLES):
        again = np.concatenate([random.choice(side, len(side)) for side in sides])
        spread = spread_of(means[again], sampling[again], start[again], base)
        # Samples in which all clusters are alike say nothing.
        if spread.total > 0:
            order = np.concatenate(sides)
            found.append(
                simulated_selection(
                    spread, chosen[order], waves[order], DRAWS, generator(seed, THREAT, str(k))
                )
            )
    return {name: np.concatenate([one[name] for one in found]) for name in found[0]}


def simulated_selection(
    spread: Spread, chosen: np.ndarray, waves: np.ndarray, draws: int, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """(draw,) of each quantity, if the lowest at the base wave are chosen and nothing changes.

    chosen : (cluster,) who was: so many are chosen in each draw · waves : (cluster,) over how many each one's
    later mean goes
    """
    n = len(chosen)
    stable = np.sqrt(spread.stable) * random.standard_normal((draws, n))
    passing = np.sqrt(spread.wave + spread.sampling)
    first = stable + passing * random.standard_normal((draws, n))
    rank = first.argsort(axis=1).argsort(axis=1)
    low = rank < chosen.sum()
    # Starts are dealt out among the chosen by chance.
    dealt = random.permuted(np.tile(waves[chosen], (draws, 1)), axis=1)
    over = np.full((draws, n), waves[~chosen].max(initial=1))
    over[low] = dealt.ravel()
    later = stable + passing / np.sqrt(over) * random.standard_normal((draws, n))
    return _quantities(first, later, low)


def observed_change(means: np.ndarray, start: np.ndarray, base: int) -> dict[str, float]:
    """The same of the data: the chosen from their start on, the others after the base wave."""
    chosen = start < means.shape[1]
    after = np.arange(means.shape[1]) >= np.where(chosen, start, base + 1)[:, None]
    later = (means * after).sum(axis=1) / after.sum(axis=1)
    found = _quantities(means[None, :, base], later[None], chosen[None])
    return {name: float(value[0]) for name, value in found.items()}


def _quantities(first: np.ndarray, later: np.ndarray, chosen: np.ndarray) -> dict[str, np.ndarray]:
    def mean(values: np.ndarray, members: np.ndarray) -> np.ndarray:
        return (values * members).sum(axis=1) / members.sum(axis=1)

    change = later - first
    return {
        "gap_at_start": mean(first, chosen) - mean(first, ~chosen),
        "change": mean(change, chosen),
        "difference": mean(change, chosen) - mean(change, ~chosen),
    }


def _sampling(case: Case, base: int) -> pd.Series:
    """By cluster, the variance of its mean at the base wave that comes from who answered.

    Ratings of one relation by different people differ with the same variance everywhere; a cluster's mean is
    one over relations, each the mean over its raters.
    """
    frame = case.exposed.frame
    n_items = len(frame.items)
    points = frame.answer + frame.minimum_of_item[frame.item_of_response]
    n = np.bincount(frame.rating_of_response, minlength=frame.n_ratings)
    rating = np.bincount(frame.rating_of_response, points, frame.n_ratings) / np.maximum(n, 1)
    table = pd.DataFrame(
        {
            "relation": frame.rater_of_rating * len(frame.units) + frame.target_of_rating,
            "cluster": case.exposed.exposure.cluster_of_unit[frame.target_of_rating],
            "value": rating,
        }
    )[(frame.wave_of_rating == base) & (n == n_items)]
    by_relation = table.groupby(["cluster", "relation"])["value"].agg(["size", "var"]).reset_index()
    several = by_relation[by_relation["size"] > 1]
    free = (several["size"] - 1).sum()
    if not free:
        return pd.Series(0.0, index=by_relation["cluster"].unique())
    pooled = (several["var"] * (several["size"] - 1)).sum() / free
    one = pooled / by_relation["size"]
    return one.groupby(by_relation["cluster"]).agg(lambda each: each.sum() / len(each) ** 2)
