"""Generative stories, one per file: option class, PyMC graph, expected response, simulator."""

from relcap_models.models.climate import Climate
from relcap_models.models.design import Design, check_design, describe_design
from relcap_models.models.leadership_link import LeadershipLink
from relcap_models.models.priors import Priors
from relcap_models.models.programme_effect import ProgrammeEffect
from relcap_models.models.relation import Relation

MODELS = (Relation, Climate, LeadershipLink, ProgrammeEffect)
__all__ = [
    "MODELS",
    "Climate",
    "Design",
    "LeadershipLink",
    "Priors",
    "ProgrammeEffect",
    "Relation",
    "check_design",
    "describe_design",
]
