"""Does leadership go with how others experience a unit: the joint model's answer, and what stands beside it.

Ratings become scores (`rating_scores`) and means of units (`unit_means`), whose errors are known
(`mean_errors`); regressions of these at each level (`levels`) are `naive`, `mixed` and `corrected`, in one
form (`rows`). The fit's own latent variables (`unit_latents`) give `joint`, `paths`, `units`, `regressions`
and `sensitivity`.

Names are looked up when they are used: a study is checked without most of this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relcap_models.lazy import lookup

if TYPE_CHECKING:
    from relcap_models.estimands.leadership_link.facts import unit_facts
    from relcap_models.estimands.leadership_link.regressions import link_regression_table
    from relcap_models.estimands.leadership_link.sensitivity import link_sensitivity_table
    from relcap_models.estimands.leadership_link.tables import link_tables

__all__ = ["link_regression_table", "link_sensitivity_table", "link_tables", "unit_facts"]

_HOME = {
    "link_regression_table": "regressions",
    "link_sensitivity_table": "sensitivity",
    "link_tables": "tables",
    "unit_facts": "facts",
}

__getattr__ = lookup(__name__, _HOME)
