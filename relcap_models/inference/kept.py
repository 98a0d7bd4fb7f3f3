"""Which quantities are kept from each draw, and their dimensions."""

from __future__ import annotations

from relcap_models.models.frame import Frame
from relcap_models.models.structure import Structure

_GROUPINGS = (
    "respondent",
    "respondent_wave",
    "respondent_target",
    "rating",
    "district_perceiver",
    "district_target",
)
_PARTS = ("stable", "wave", "innovation")

KEPT_DIMS: dict[str, tuple[str, ...]] = {
    "mu": ("wave", "dimension"),
    "mu_own": ("wave", "dimension"),
    "mu_facet": ("wave", "facet"),
    "beta": ("covariate", "dimension"),
    "sd_unit": ("unit_effect",),
    "corr_unit": ("unit_effect", "unit_effect_b"),
    "generalised_reciprocity": ("dimension",),
    **{f"sd_unit_{part}": ("unit_effect",) for part in _PARTS},
    **{f"corr_unit_{part}": ("unit_effect", "unit_effect_b") for part in _PARTS},
    "lagged": ("unit_effect", "unit_effect_b"),
    "stability_unit": (),
    "memory_unit": (),
    "perceiver_effect": ("unit", "wave", "dimension"),
    "target_effect": ("unit", "wave", "dimension"),
    "self_effect": ("unit", "wave", "dimension"),
    "staff_effect": ("unit", "wave", "staff_facet"),
    "relation_effect": ("relation", "wave", "dimension"),
    "sd_relation": ("dimension",),
    "cov_relation": ("dimension", "dimension_b"),
    "dyadic_reciprocity": ("dimension",),
    "stability_relation": (),
    "memory_relation": (),
    **{f"sd_{name}": ("dimension",) for name in _GROUPINGS},
    **{f"cov_{name}": ("dimension", "dimension_b") for name in _GROUPINGS},
    **{f"sd_{name}_facet": ("facet",) for name in _GROUPINGS[:2]},
    **{f"cov_{name}_facet": ("facet", "facet_b") for name in _GROUPINGS[:2]},
    "district_perceiver_effect": ("district_wave", "dimension"),
    "district_target_effect": ("district_wave", "dimension"),
    "loading": ("item",),
    "threshold": ("item_threshold",),
    "intercept": ("item",),
    "residual_sd": ("item",),
}
"""Effects of respondents and ratings are not among them: nothing that is reported needs a single person's."""


def coordinates(frame: Frame, structure: Structure) -> dict[str, list[str]]:
    """Labels of the dimensions of everything that is kept."""
    several = len(frame.facets) > 1
    effects = [f"{role}:{d}" for role in structure.roles for d in frame.dimensions]
    effects = list(structure.roles) if several else effects
    named: dict[str, list[str]] = {
        "wave": list(frame.waves),
        "unit": list(frame.units),
        "dimension": list(frame.dimensions),
        "dimension_b": list(frame.dimensions),
        "item": list(frame.items),
        "item_threshold": list(frame.threshold_labels),
        "unit_effect": effects,
        "unit_effect_b": effects,
    }
    if several:
        staff = [role for role in structure.roles if role in frame.facets]
        named |= {"facet": list(frame.facets), "facet_b": list(frame.facets), "staff_facet": staff}
    if frame.covariates:
        named["covariate"] = list(frame.covariates)
    if structure.relation != "none":
        named["relation"] = list(frame.relation_labels)
    if structure.districts:
        n_districts = int(frame.district_of_unit.max()) + 1
        named["district_wave"] = [f"{d}:{wave}" for d in range(n_districts) for wave in frame.waves]
    return named
