"""Disclosure control: what of the results may become public.

`apply_disclosure` takes the uncontrolled tables to the public ones. `rules` says what a reportable group is,
`cells` and `build_cells` lay out what one wave of one instrument can publish, `decide` hides what is too
small, and `complementary` hides what would give it away, with the help of `linear` and `intervals`.

Source: Hundepool et al. (2012), Statistical Disclosure Control, ch. 4 (magnitude and frequency tables).
"""

from relcap_models.report.disclosure.control import apply_disclosure
from relcap_models.report.disclosure.csv import formula_like, safe_csv
from relcap_models.report.disclosure.headcounts import small_rater_units
from relcap_models.report.disclosure.rules import Disclosure, band

__all__ = ["Disclosure", "apply_disclosure", "band", "formula_like", "safe_csv", "small_rater_units"]
