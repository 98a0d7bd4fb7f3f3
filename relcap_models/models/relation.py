"""`relations`: how units experience working with each other, from ratings of units by respondents."""

from __future__ import annotations

from typing import Literal

from relcap_models.models.priors import Priors
from relcap_models.models.rating_model import RatingModel


class Relation(RatingModel):
    """Ratings of partner units (and of the own unit), with generalised and dyadic reciprocity.

    Kind `relations`. The social relations model (Kenny & La Voie 1984; Snijders & Kenny 1999) in its item
    response form (Gin, Sim, Skrondal & Rabe-Hesketh 2020), with respondents nested in units.
    """

    kind: Literal["relations"] = "relations"
    id: str = "relations"
    priors: Priors = Priors()
