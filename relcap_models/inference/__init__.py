"""The only place that samples: engines, fits, convergence and predictive checks."""

from relcap_models.inference.fit import Fit, fit

__all__ = ["Fit", "fit"]
