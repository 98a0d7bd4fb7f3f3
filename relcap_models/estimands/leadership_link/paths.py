"""By which way leadership goes with what others see: directly, through psychological safety, a wave later."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from relcap_models.estimands.estimate import Estimate, by_chain
from relcap_models.estimands.leadership_link.joint import adjustments, leader_facets, outcome_of, rise
from relcap_models.estimands.leadership_link.unit_latents import UnitLatents, unit_latents
from relcap_models.inference.fit import Fit


def link_path_table(fit: Fit, *, ci_prob: float) -> pd.DataFrame:
    """Direct, indirect and total effects of leadership, and cross-lagged effects from three waves on.

    `path` is `total`, `direct` (safety held constant), `indirect` (through safety: leadership → safety times
    safety → outcome with leadership held constant), `first` and `second` (those two), or `lagged`: how a
    unit's deviation in one wave goes with another variable's in the next (Hamaker, Kuiper & Grasman 2015).
    `given` is the leadership that `second` holds constant. On
    the scale `latent` the unit is a latent unit of the predictor; on `points`, a standard deviation of it.
    Indirect effects are causal only if nothing else moves leadership and safety, leadership and outcome, or
    safety and outcome, and no consequence of leadership but safety moves both (Imai, Keele & Tingley 2010,
    Psychological Methods 15, 309–334).
    """
    found = [*_mediated(fit), *_lagged(fit)]
    labels = pd.DataFrame([row for row, _ in found])
    draws = np.stack([draws for _, draws in found], axis=1)
    table = Estimate(
        question="By which way does leadership go with what others see?",
        unit="latent units, or points per sd of the predictor",
        assumptions="linear among normal latent variables; no confounder of any of the paths",
        draws=by_chain(draws, fit.n_chains),
        labels=labels,
    ).table(ci_prob=ci_prob)
    table["prob_positive"] = (draws > 0).mean(axis=0)
    return table


def _mediated(fit: Fit) -> Iterator[tuple[dict[str, object], np.ndarray]]:
    facets = fit.frame.facets
    leaders = leader_facets(fit)
    mediators = tuple(f for f in facets[1:] if f not in leaders)
    for latents in unit_latents(fit):
        for adjusted in adjustments(fit):
            for leader in leaders:
                effects = _effects(fit, latents, leader, mediators, adjusted=adjusted)
                for (path, mediator), draws in effects.items():
                    about = {
                        "analysis": fit.model.id,
                        "source": fit.model.source,
                        "adjusted": adjusted,
                        "level": latents.level,
                        "predictor": mediator if path == "second" else leader,
                        "mediator": mediator,
                        "outcome": mediator if path == "first" else facets[0],
                        "given": leader if path == "second" else "",
                        "path": path,
                    }
                    yield about | {"scale": "latent"}, draws
                    if path not in ("first", "second"):
                        moved = rise(fit, 0, draws * latents.sd(leader))[0]
                        yield about | {"scale": "points"}, moved


def _effects(
    fit: Fit, latents: UnitLatents, leader: str, mediators: tuple[str, ...], *, adjusted: bool
) -> dict[tuple[str, str], np.ndarray]:
    """(S,) draws by path and mediator; what goes through several mediators is their sum."""
    held = ("perceiver",) if adjusted else ()
    outcome, through = outcome_of(fit), " + ".join(mediators)
    effects = {("total", ""): latents.slopes(outcome, (leader, *held))[:, 0]}
    if not mediators:
        return effects
    both = latents.slopes(outcome, (leader, *mediators, *held))
    effects["direct", through] = both[:, 0]
    effects["indirect", through] = effects["total", ""] - both[:, 0]
    for k, mediator in enumerate(mediators):
        effects["first", mediator] = latents.slopes(mediator, (leader, *held))[:, 0]
        effects["second", mediator] = both[:, 1 + k]
    return effects


def _lagged(fit: Fit) -> Iterator[tuple[dict[str, object], np.ndarray]]:
    if "lagged" not in fit.posterior:
        return
    lagged, roles = fit.draws("lagged"), fit.structure.roles
    names = {outcome_of(fit): fit.frame.facets[0]}
    for after, outcome in enumerate(roles):
        for before, predictor in enumerate(roles):
            about = {
                "analysis": fit.model.id,
                "source": fit.model.source,
                "adjusted": "perceiver" in roles,
                "level": "within",
                "predictor": names.get(predictor, predictor),
                "mediator": "",
                "given": "",
                "outcome": names.get(outcome, outcome),
                "path": "lagged",
                "scale": "latent",
            }
            yield about, lagged[:, after, before]
