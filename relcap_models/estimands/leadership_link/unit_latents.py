"""The latent variables of units that a link is a regression among: their covariances, level by level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relcap_models.inference.fit import Fit
from relcap_models.models.latent import Draws, item_expectation


@dataclass(frozen=True)
class UnitLatents:
    """Draws of the covariance of units' latent variables.

    level : `between` units (all there is in one wave; of several waves the stable parts), or `within` units
    (deviations of a wave from the unit's own stable part, averaged over waves)
    names : perceiver, target, or the facet that own staff rate · covariance : (S, P, P)
    """

    level: str
    names: tuple[str, ...]
    covariance: np.ndarray

    def slopes(self, outcome: str, predictors: tuple[str, ...]) -> np.ndarray:
        """(S, predictors) coefficients of the regression of `outcome` on all `predictors`."""
        return slopes(self.covariance, self.names.index(outcome), [self.names.index(p) for p in predictors])

    def sd(self, name: str) -> np.ndarray:
        """(S,) standard deviation of one latent variable."""
        place = self.names.index(name)
        return np.sqrt(self.covariance[:, place, place])


def slopes(covariance: np.ndarray, outcome: int, predictors: list[int]) -> np.ndarray:
    """(S, predictors) regression coefficients that a covariance (S, P, P) implies."""
    among = covariance[:, predictors][:, :, predictors]
    across = covariance[:, predictors, outcome]
    return np.linalg.solve(among, across[:, :, None])[:, :, 0]


def unit_latents(fit: Fit) -> tuple[UnitLatents, ...]:
    """Of each level that the model tells apart."""
    return levels_of(fit.draws, fit.structure.roles, set(fit.posterior), len(fit.frame.waves))


def levels_of(draws: Draws, names: tuple[str, ...], known: set[str], n_waves: int) -> tuple[UnitLatents, ...]:
    """The same from draws by name; `known` are the names that there are."""
    if "sd_unit" in known:
        return (UnitLatents("between", names, _covariance(draws, "unit")),)
    deviations = _deviations(draws, n_waves)
    within = sum(row[-1] for row in deviations) / n_waves
    stable = UnitLatents("between", names, _covariance(draws, "unit_stable"))
    return stable, UnitLatents("within", names, within)


def _covariance(draws: Draws, part: str) -> np.ndarray:
    sd = draws(f"sd_{part}")
    return draws(f"corr_{part}") * sd[:, :, None] * sd[:, None, :]


def _deviations(draws: Draws, n_waves: int) -> list[list[np.ndarray]]:
    """(S, P, P) covariances of a unit's deviations in wave v with those in wave w ≤ v: [v][w]."""
    rows = [[_covariance(draws, "unit_wave")]]
    for _ in range(1, n_waves):
        before = rows[-1]
        if n_waves == 2:
            rows.append([np.zeros_like(before[0]), before[0]])
            continue
        lagged = draws("lagged")
        last = lagged @ before[-1] @ np.swapaxes(lagged, 1, 2) + _covariance(draws, "unit_innovation")
        rows.append([*(lagged @ block for block in before), last])
    return rows


def covariance_over_waves(fit: Fit) -> np.ndarray:
    """(S, W·P, W·P) covariance of a unit's latent variables in all waves, wave after wave."""
    n_waves = len(fit.frame.waves)
    between = unit_latents(fit)[0].covariance
    if n_waves == 1:
        return between
    rows = _deviations(fit.draws, n_waves)
    waves = range(n_waves)
    return np.block(
        [[between + (rows[v][w] if v >= w else np.swapaxes(rows[w][v], 1, 2)) for w in waves] for v in waves]
    )


def unit_effects(fit: Fit) -> np.ndarray:
    """(S, U, W, P) draws of units' latent variables, with different sources."""
    ends = [fit.draws(f"{end}_effect") for end in ("perceiver", "target")]
    return np.concatenate([*ends, fit.draws("staff_effect")], axis=3)


def stable_effects(fit: Fit, rng: np.random.Generator) -> np.ndarray:
    """(S, U, P) draws of what of units' latent variables is the same in all waves.

    With several waves drawn given the unit's effects in each and their covariance, draw by draw: a mean over
    waves would hold a share of their deviations, and blend both levels.
    """
    effects = unit_effects(fit)
    n_draws, n_units, n_waves, P = effects.shape
    if n_waves == 1:
        return effects[:, :, 0]
    stable = unit_latents(fit)[0].covariance
    repeated = np.tile(stable, (1, n_waves, 1))
    gain = np.swapaxes(np.linalg.solve(covariance_over_waves(fit), repeated), 1, 2)
    value, vectors = np.linalg.eigh(stable - gain @ repeated)
    root = vectors * np.sqrt(np.maximum(value, 0.0))[:, None, :]
    noise = rng.standard_normal((n_draws, n_units, P))
    return effects.reshape(n_draws, n_units, -1) @ np.swapaxes(gain, 1, 2) + noise @ np.swapaxes(root, 1, 2)


def rating_variance(fit: Fit, facet: int) -> np.ndarray:
    """(S,) variance of a latent rating about a facet, covariates apart."""
    outcome = facet == 0 and "target" in fit.structure.roles
    names = ("perceiver", "target") if outcome else (fit.frame.facets[facet],)
    total = np.zeros(fit.n_chains * fit.n_draws)
    for latents in unit_latents(fit):
        # Rater and target are two units.
        total += sum(latents.sd(name) ** 2 for name in names)
    if outcome and fit.structure.relation != "none":
        total += fit.draws("sd_relation")[:, 0] ** 2
    for grouping in fit.structure.respondents:
        if grouping.n_facets > 1:
            total += fit.draws(f"sd_{grouping.name}_facet")[:, facet] ** 2
        elif outcome:
            total += fit.draws(f"sd_{grouping.name}")[:, 0] ** 2
    return total


def expected_answers(
    fit: Fit, facet: int, shift: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean answer in points and share of favourable answers, over the items of a facet: (S, X) each.

    shift : (S, X) of the latent mean, away from that of the average rating · variance : (S,) averaged over
    """
    frame = fit.frame
    items = np.flatnonzero(frame.latent_of_item == facet)
    thresholds = np.isin(frame.item_of_threshold, items)
    alone = frame.of_facet(facet)

    def draws(name: str) -> np.ndarray:
        return fit.draws(name)[:, thresholds if name == "threshold" else items]

    here = frame.facet_of_rating == facet
    weight = np.bincount(frame.wave_of_rating[here], minlength=len(frame.waves)) / here.sum()
    location = fit.draws("mu_facet")[:, :, facet] @ weight
    if frame.covariates:
        location = location + fit.draws("beta")[:, :, 0] @ frame.covariates_of_rating[here].mean(axis=0)
    location = location[:, None] + shift
    points, favourable = item_expectation(
        draws, alone, fit.model.response, location[:, :, None], variance[:, None]
    )
    return points.mean(axis=2), favourable.mean(axis=2)
