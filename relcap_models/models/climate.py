"""`climate`: how a unit's own staff experience their team or their leaders."""

from __future__ import annotations

from typing import Literal

from relcap_models.models.priors import Priors
from relcap_models.models.rating_model import RatingModel


class Climate(RatingModel):
    """Ratings of the own team or the own leaders: the relation model without targets. Kind `climate`."""

    kind: Literal["climate"] = "climate"
    id: str = "climate"
    priors: Priors = Priors()
