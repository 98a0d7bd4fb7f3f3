"""Does leadership go with how others experience a unit: the joint model's answer, and what stands beside it.

Ratings become scores (`rating_scores`) and means of units (`unit_means`), whose errors are known
(`mean_errors`); regressions of these at each level (`levels`) are `naive`, `mixed` and `corrected`, in one
form (`rows`). The fit's own latent variables (`unit_latents`) give `joint`, `paths`, `units`, `regressions`
and `sensitivity`.
"""

from relcap_models.estimands.leadership_link.regressions import link_regression_table, unit_facts
from relcap_models.estimands.leadership_link.sensitivity import link_sensitivity_table
from relcap_models.estimands.leadership_link.tables import link_tables

__all__ = ["link_regression_table", "link_sensitivity_table", "link_tables", "unit_facts"]
