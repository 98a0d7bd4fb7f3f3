"""What a draw says about every single rating, apart from the person who gave it."""

from __future__ import annotations

import numpy as np

from relcap_models.inference.fit import Fit
from relcap_models.models.latent import Draws


def thinned(fit: Fit, n_draws: int) -> Draws:
    """Draws of `fit`, at most `n_draws` of them, evenly spread over chains and iterations."""
    total = fit.n_chains * fit.n_draws
    chosen = np.unique(np.linspace(0, total - 1, min(n_draws, total)).round().astype(np.int64))
    return lambda name: fit.draws(name)[chosen]


def rating_location(draws: Draws, fit: Fit) -> np.ndarray:
    """(S, N, D) latent mean of each rating: everything but the effects of respondents and ratings."""
    frame, structure = fit.frame, fit.structure
    wave, rater, target = frame.wave_of_rating, frame.rater_of_rating, frame.target_of_rating
    own = frame.own[:, None]
    mixed = "self" in structure.roles
    if len(frame.facets) > 1:
        location = _by_facet(draws, fit)
    else:
        mean = draws("mu")[:, wave]
        if mixed:
            mean = np.where(own, draws("mu_own")[:, wave], mean)
        location = mean + draws("perceiver_effect")[:, rater, wave]
    if "target" in structure.roles:
        about = draws("target_effect")[:, target, wave]
        others = draws("self_effect")[:, rater, wave] if mixed else 0.0
        location += np.where(own, others, about)
    if structure.relation != "none":
        location += np.where(own, 0.0, draws("relation_effect")[:, frame.relation_of_rating, wave])
    for shock in structure.districts:
        group = shock.group_of_rating
        location += np.where(group[:, None] >= 0, draws(f"{shock.name}_effect")[:, group], 0.0)
    if frame.covariates:
        location += np.einsum("nc,scd->snd", frame.covariates_of_rating, draws("beta"))
    return location


def _by_facet(draws: Draws, fit: Fit) -> np.ndarray:
    """(S, N, 1) mean of what each rating is about, and what the rater's unit adds to it."""
    frame = fit.frame
    rater, wave, facet = frame.rater_of_rating, frame.wave_of_rating, frame.facet_of_rating
    location = draws("mu_facet")[:, wave, facet]
    staff = [name for name in fit.structure.roles if name in frame.facets]
    for f, name in enumerate(frame.facets):
        here = facet == f
        if name in staff:
            effect = draws("staff_effect")[:, rater[here], wave[here], staff.index(name)]
        else:
            effect = draws("perceiver_effect")[:, rater[here], wave[here], 0]
        location[:, here] += effect
    return location[:, :, None]
