"""Did a programme work? What it changed at either end of a relation, and what could have faked that."""

from relcap_models.estimands.programme_effect.comparisons import (
    programme_comparison_table,
    programme_weight_table,
)
from relcap_models.estimands.programme_effect.counterfactuals import rated_cells
from relcap_models.estimands.programme_effect.design import (
    programme_design_table,
    programme_exposure_table,
    refusal,
)
from relcap_models.estimands.programme_effect.effects import programme_effect_tables
from relcap_models.estimands.programme_effect.threats import programme_threat_table

__all__ = [
    "programme_comparison_table",
    "programme_design_table",
    "programme_effect_tables",
    "programme_exposure_table",
    "programme_threat_table",
    "programme_weight_table",
    "rated_cells",
    "refusal",
]
