"""The likelihood of a two-level model with its derivatives.

Contrasts within clusters are N(0, Σ_W). Means of clusters of size s are N(μ, Σ_B + Σ_W / s), where Σ_B is 0
for variables of the within level alone, and Σ_W for those of the between level alone. So each part is an
ordinary normal sample whose moments two blocks move: u and v of the within block are divided by √s.

Source: McDonald & Goldstein (1989), British Journal of Mathematical and Statistical Psychology 42, 215-232.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from relcap_models.psychometrics.structural.implied_moments import (
    Block,
    Directions,
    Moments,
    curvature,
    directions,
    free_entries,
    implied,
)
from relcap_models.psychometrics.structural.likelihood import (
    casewise_scores,
    expected_information,
    log_likelihood,
    loss,
    observed_information,
    slopes,
)
from relcap_models.psychometrics.structural.model import Model
from relcap_models.psychometrics.structural.newton import Surface
from relcap_models.psychometrics.structural.sample import Sample
from relcap_models.psychometrics.structural.two_level_sample import TwoLevelSample


@dataclass(frozen=True)
class Part:
    """One ordinary sample: the contrasts (size 0), or the means of clusters of one size.

    share : the sample's size over the number of respondents. sigma, mu : what is implied.
    """

    sample: Sample
    size: int
    share: float
    sigma: np.ndarray
    mu: np.ndarray


def parts_of(sample: TwoLevelSample, within: Moments, between: Moments, n: int) -> Iterator[Part]:
    """The contrasts first. n : all respondents."""
    p, q = len(sample.within), len(sample.variables)
    pooled = sample.contrasts
    yield Part(pooled, 0, pooled.n / n, within.sigma, np.zeros(p))
    at = sample.at_between
    shared, mu = np.zeros((q, q)), np.zeros(q)
    shared[np.ix_(at, at)] = between.sigma
    mu[:p] += within.mu
    mu[at] += between.mu
    for size, means in zip(sample.sizes, sample.means):
        sigma = shared.copy()
        sigma[:p, :p] += within.sigma / size
        yield Part(means, size, means.n / n, sigma, mu)


def part_directions(sample: TwoLevelSample, within: Directions, between: Directions, size: int) -> Directions:
    """How the entries of both blocks, within first, move the moments of a part."""
    p, q = len(sample.within), len(sample.variables)
    if size == 0:
        none = np.zeros((p, between.u.shape[1]))
        return Directions(
            np.hstack([within.u, none]), np.hstack([within.v, none]), np.hstack([0 * within.d, none])
        )
    split = within.u.shape[1]
    found = []
    for inner, outer, scale in (
        (within.u, between.u, np.sqrt(size)),
        (within.v, between.v, np.sqrt(size)),
        (within.d, between.d, 1.0),
    ):
        whole = np.zeros((q, split + outer.shape[1]))
        whole[:p, :split] = inner / scale
        whole[sample.at_between, split:] = outer
        found.append(whole)
    return Directions(*found)


def two_level_loss(model: Model, theta: np.ndarray) -> float:
    """Minus the log-likelihood per respondent, without what does not depend on parameters."""
    try:
        return sum(
            part.share * loss(part.sigma, part.mu, part.sample)
            for group in _groups(model, theta)
            for part in parts_of(group.sample, *group.moments, model.n)
        )
    except np.linalg.LinAlgError:
        return np.inf


def two_level_log_likelihood(sample: TwoLevelSample, within: Moments, between: Moments) -> float:
    """Log-likelihood of a group's answers, with its constant."""
    parts = parts_of(sample, within, between, sample.n)
    whole = sum(log_likelihood(part.sigma, part.mu, part.sample) for part in parts)
    # From means of clusters to the answers: the mean times √size is the contrast that is left.
    return whole - 0.5 * len(sample.within) * np.log(sample.cluster_sizes).sum()


def two_level_minimum(model: Model, theta: np.ndarray) -> float:
    """lavaan's `fmin` of two levels: minus the log-likelihood per respondent without log 2π."""
    sizes = sum(len(s.within) * np.log(s.cluster_sizes).sum() for s in model.samples)
    return two_level_loss(model, theta) + 0.5 * sizes / model.n


@dataclass(frozen=True)
class _Group:
    """One group at given parameters.

    entry : (entry,) the free parameter behind each free entry of both blocks.
    """

    sample: TwoLevelSample
    blocks: tuple[Block, Block]
    moments: tuple[Moments, Moments]

    @property
    def entry(self) -> np.ndarray:
        return np.concatenate([block.parameter[free_entries(block)] for block in self.blocks])

    @property
    def directions(self) -> tuple[Directions, ...]:
        return tuple(directions(block, moments) for block, moments in zip(self.blocks, self.moments))


def _groups(model: Model, theta: np.ndarray) -> Iterator[_Group]:
    for g, sample in enumerate(model.samples):
        pair = model.blocks[2 * g : 2 * g + 2]
        yield _Group(sample, pair, tuple(implied(block, theta) for block in pair))


def two_level_gradient(model: Model, theta: np.ndarray) -> np.ndarray:
    """(free parameter,) derivatives of the loss."""
    found = np.zeros(model.n_free)
    for group in _groups(model, theta):
        both = group.directions
        for part in parts_of(group.sample, *group.moments, model.n):
            moving = part_directions(group.sample, *both, part.size)
            slope, slope_mean = slopes(part.sigma, part.mu, part.sample)
            mine = 2 * (moving.u * (slope @ moving.v)).sum(axis=0) + slope_mean @ moving.d
            np.add.at(found, group.entry, part.share * mine)
    return found


def two_level_hessian(model: Model, theta: np.ndarray) -> np.ndarray:
    """(free parameter, free parameter) second derivatives of the loss: the observed information."""
    found = np.zeros((model.n_free, model.n_free))
    for group in _groups(model, theta):
        sample, both = group.sample, group.directions
        p, at = len(sample.within), sample.at_between
        by_within, by_mean = np.zeros((p, p)), np.zeros(p)
        by_between, by_between_mean = np.zeros((len(at), len(at))), np.zeros(len(at))
        entries = group.entry
        total = np.zeros((len(entries), len(entries)))
        for part in parts_of(sample, *group.moments, model.n):
            moving = part_directions(sample, *both, part.size)
            total += part.share * observed_information(moving, part.sigma, part.mu, part.sample)
            slope, slope_mean = (part.share * s for s in slopes(part.sigma, part.mu, part.sample))
            if part.size == 0:
                by_within += slope
                continue
            by_within += slope[:p, :p] / part.size
            by_mean += slope_mean[:p]
            by_between += slope[np.ix_(at, at)]
            by_between_mean += slope_mean[at]
        split = len(free_entries(group.blocks[0]))
        total[:split, :split] += curvature(group.blocks[0], group.moments[0], by_within, by_mean)
        total[split:, split:] += curvature(group.blocks[1], group.moments[1], by_between, by_between_mean)
        _add(found, entries, total)
    return found


def two_level_expected(model: Model, theta: np.ndarray) -> np.ndarray:
    """(free parameter, free parameter) expected information per respondent."""
    found = np.zeros((model.n_free, model.n_free))
    for group in _groups(model, theta):
        both = group.directions
        for part in parts_of(group.sample, *group.moments, model.n):
            moving = part_directions(group.sample, *both, part.size)
            mine = expected_information(moving, part.sigma, part.mu, part.sample)
            _add(found, group.entry, part.share * mine)
    return found


def two_level_scores(model: Model, theta: np.ndarray) -> np.ndarray:
    """(cluster, free parameter) derivatives of each cluster's log-likelihood, group by group."""
    rows = []
    for group in _groups(model, theta):
        both, sample = group.directions, group.sample
        scores = np.zeros((sample.n_clusters, len(group.entry)))
        for part in parts_of(sample, *group.moments, model.n):
            moving = part_directions(sample, *both, part.size)
            mine = casewise_scores(moving, part.sigma, part.mu, part.sample)
            np.add.at(scores, part.sample.position, mine)
        whole = np.zeros((sample.n_clusters, model.n_free))
        np.add.at(whole.T, group.entry, scores.T)
        rows.append(whole)
    return np.vstack(rows)


def _add(total: np.ndarray, entry: np.ndarray, part: np.ndarray) -> None:
    np.add.at(total, (entry[:, None], entry[None, :]), part)


def two_level_surface(model: Model) -> Surface:
    """The loss and its derivatives."""
    return Surface(
        model.freedom,
        partial(two_level_loss, model),
        partial(two_level_gradient, model),
        partial(two_level_hessian, model),
        partial(two_level_expected, model),
    )
