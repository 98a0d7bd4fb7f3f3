"""The only place that samples: engines, fits, convergence and predictive checks."""

from relcap_models.inference.agreement import agreement, effect_agreement
from relcap_models.inference.checks import COLUMNS as CHECK_COLUMNS
from relcap_models.inference.checks import checks
from relcap_models.inference.fit import Fit, fit
from relcap_models.inference.loo import LooResult, cross_validate, loo, refit_left_out
from relcap_models.inference.predictive import Replicates, item_distributions, replicate
from relcap_models.inference.predictive_fit import predictive_fit

__all__ = [
    "CHECK_COLUMNS",
    "Fit",
    "LooResult",
    "Replicates",
    "agreement",
    "checks",
    "cross_validate",
    "effect_agreement",
    "fit",
    "item_distributions",
    "loo",
    "predictive_fit",
    "refit_left_out",
    "replicate",
]
