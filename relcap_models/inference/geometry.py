"""What each rating's answers say of it, before any sampling: the sampler draws effects around that."""

from __future__ import annotations

import numpy as np

from relcap_models.models.frame import Frame
from relcap_models.models.information import PseudoObservations
from relcap_models.models.rating_model import RatingModel


def observe_ratings(model: RatingModel, frame: Frame) -> PseudoObservations | None:
    """Gaussian pseudo-observations of ratings by marginal likelihood, each rating taken for itself.

    None where that breaks down, as with a handful of answers, or where relations and answers cannot be told
    apart: normal scores do for the geometry there.
    """
    from relcap_models.inference.fast.items import Items
    from relcap_models.inference.fast.marginal import fit_marginal
    from relcap_models.inference.fast.pseudo import Quadrature, pseudo_from

    if model.structure(frame).relation == "residual":
        return None
    scale = model.latent_scale(frame)
    items = Items(frame, model.response, model.loadings, model.priors, scale)
    try:
        found = fit_marginal(frame, items, Quadrature(frame, model.response), scale)
        total = found.total[frame.facet_of_rating]
        observed = pseudo_from(found.location, total, found.tilted)
    except np.linalg.LinAlgError:
        return None
    whole = np.isfinite(observed.precision).all() and np.isfinite(observed.shift).all()
    return observed if whole else None
