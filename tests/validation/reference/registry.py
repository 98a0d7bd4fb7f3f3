"""Every id of the reference values, once: what finds its figures here, or why nothing does."""

from __future__ import annotations

from tests.validation.reference import (
    agreement,
    factor_models,
    item_response,
    ordinal_factor_models,
    programme_effects,
    sampled,
    scales,
    two_level_models,
)

ENTRIES = (
    *factor_models.ENTRIES,
    *ordinal_factor_models.ENTRIES,
    *two_level_models.ENTRIES,
    *scales.ENTRIES,
    *item_response.ENTRIES,
    *agreement.ENTRIES,
    *programme_effects.ENTRIES,
    *sampled.ENTRIES,
)
