"""What relation and climate models share: options, frame, graph, and the simulator."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import field_validator

from relcap_models.data.survey import Survey
from relcap_models.models.families import LATENT_SCALE, family_name
from relcap_models.models.frame import Frame, build_frame
from relcap_models.models.priors import Priors
from relcap_models.models.structure import Structure, find_structure
from relcap_models.schema.instrument import Declaration

if TYPE_CHECKING:
    import numpy as np
    import pymc as pm

    from relcap_models.models.density import Density
    from relcap_models.models.information import PseudoObservations
    from relcap_models.models.story import Parameters, Told


class RatingModel(Declaration, ABC):
    """Options of a model of ratings; its YAML block is the object.

    instrument : id of the instrument · family, link : how an item answers the latent rating ·
    loadings : `equal` sets every loading to 1 · covariates : such as `rater.layer`, `target.size`,
    `relation.importance` · priors : see `Priors`.
    """

    instrument: str
    family: Literal["cumulative", "partial_credit", "gaussian"] = "cumulative"
    link: Literal["probit", "logit"] = "probit"
    loadings: Literal["free", "equal"] = "free"
    covariates: tuple[str, ...] = ()
    priors: Priors = Priors()
    has_lagged: ClassVar[bool] = False

    @field_validator("priors")
    @classmethod
    def _lagged_acts_on_something(cls, priors: Priors) -> Priors:
        if not cls.has_lagged and priors.lagged != Priors.model_fields["lagged"].default:
            raise ValueError("`lagged` is a prior of leadership_link alone: leave it out here")
        return priors

    @property
    def response(self) -> str:
        """probit, logit, partial_credit or gaussian."""
        return family_name(self.family, self.link)

    def frame(self, survey: Survey) -> Frame:
        """The responses of this model's instrument as integer arrays."""
        return build_frame(survey, self.instrument, covariates=self.covariates)

    def structure(self, frame: Frame) -> Structure:
        """The effects that the design can tell apart."""
        return find_structure(frame)

    def latent_scale(self, frame: Frame) -> float:
        """Size of this family's latent unit relative to probit; priors are multiplied by it."""
        return frame.latent_scale_of_answers if self.family == "gaussian" else LATENT_SCALE[self.response]

    def simulate(self, parameters: Parameters, frame: Frame, rng: np.random.Generator) -> Told:
        """Effects and answers on the frame's design, given parameters: plain NumPy, see `story`."""
        from relcap_models.models.story import tell

        return tell(frame, self.structure(frame), self.response, parameters, rng)

    def build(self, frame: Frame, *, fused: bool = True) -> pm.Model:
        """The PyMC graph, for PyMC's own samplers and for changes to the model.

        fused : the likelihood of ordinal answers as one operation (`answer_op`), several times as fast as the
            plain expressions that it stands for
        """
        from relcap_models.models.graph import build_graph

        return build_graph(
            frame,
            self.structure(frame),
            family=self.response,
            loadings=self.loadings,
            priors=self.priors,
            scale=self.latent_scale(frame),
            fused=fused,
        )

    def density(self, frame: Frame, observed: PseudoObservations | None = None) -> Density:
        """The same log density as the graph's, ready to be sampled; `observed` sets the geometry only."""
        from relcap_models.models.density import Density

        return Density(
            frame,
            self.structure(frame),
            family=self.response,
            loadings=self.loadings,
            priors=self.priors,
            scale=self.latent_scale(frame),
            observed=observed,
        )
