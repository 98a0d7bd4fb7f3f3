"""The only place that samples: engines, fits, convergence and predictive checks."""

from relcap_models.inference.agreement import agreement
from relcap_models.inference.checks import checks
from relcap_models.inference.fit import Fit, fit
from relcap_models.inference.loo import LooResult, loo, refit_left_out
from relcap_models.inference.predictive import Replicates, item_distributions, replicate

__all__ = [
    "Fit",
    "LooResult",
    "Replicates",
    "agreement",
    "checks",
    "fit",
    "item_distributions",
    "loo",
    "refit_left_out",
    "replicate",
]
