"""The frequentist answer beside the model's: regressions on the mean answers of relations in waves."""

from relcap_models.estimands.programme_effect.comparisons.tables import (
    programme_comparison_table,
    programme_weight_table,
)

__all__ = ["programme_comparison_table", "programme_weight_table"]
