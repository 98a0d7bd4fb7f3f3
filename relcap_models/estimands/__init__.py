"""The questions, one per file or package: draws of a fit in, labelled estimates and tidy tables out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relcap_models.estimands.estimate import Estimate
from relcap_models.estimands.perception_gaps import perception_gap_table
from relcap_models.estimands.relation_scores import RelationScores, relation_score_table, relation_scores
from relcap_models.estimands.reliability import reliability_table
from relcap_models.estimands.tables import tables
from relcap_models.estimands.unit_scores import UnitScores, unit_score_table, unit_scores
from relcap_models.estimands.variance_shares import variance_share_table
from relcap_models.lazy import lookup

if TYPE_CHECKING:
    from relcap_models.estimands.leadership_link import (
        link_regression_table,
        link_sensitivity_table,
        link_tables,
        unit_facts,
    )

__all__ = [
    "Estimate",
    "RelationScores",
    "UnitScores",
    "link_regression_table",
    "link_sensitivity_table",
    "link_tables",
    "perception_gap_table",
    "relation_score_table",
    "relation_scores",
    "reliability_table",
    "tables",
    "unit_facts",
    "unit_score_table",
    "unit_scores",
    "variance_share_table",
]

_LINK = ("link_regression_table", "link_sensitivity_table", "link_tables", "unit_facts")

# Most studies ask for no link, and its regressions take a second to load.
__getattr__ = lookup(__name__, dict.fromkeys(_LINK, "leadership_link"))
