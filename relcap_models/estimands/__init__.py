"""The questions, one per file or package: draws of a fit in, labelled estimates and tidy tables out."""

from relcap_models.estimands.estimate import Estimate
from relcap_models.estimands.leadership_link import (
    link_regression_table,
    link_sensitivity_table,
    link_tables,
    unit_facts,
)
from relcap_models.estimands.perception_gaps import perception_gap_table
from relcap_models.estimands.relation_scores import RelationScores, relation_score_table, relation_scores
from relcap_models.estimands.reliability import reliability_table
from relcap_models.estimands.tables import tables
from relcap_models.estimands.unit_scores import UnitScores, unit_score_table, unit_scores
from relcap_models.estimands.variance_shares import variance_share_table

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
