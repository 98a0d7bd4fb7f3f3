"""What a reader of comparisons and threats should know, as codes that the report turns into words."""

from __future__ import annotations

ONE_CLUSTER = "one_cluster"
"""One unit or district alone is exposed, or is compared with: no error can be known."""
FEW_CLUSTERS = "few_clusters"
"""Fewer than twenty units or districts on a side: see the rows of methods for few clusters."""
FEW_UNITS = "few_units"
"""Fewer than fifty units (or districts) at the ends of relations: errors are somewhat too small."""
INCOMPLETE = "incomplete"
"""`incomplete:n` relations were left out because they are not rated in every wave."""
NOT_ESTIMATED = "not_estimated"
"""The method could not be computed with these data."""
DRAWS = "draws"
"""`draws:n` random assignments or weights."""
EXACT = "exact"
"""Every assignment there can be was used."""
