"""The parts that variables play in a model: latent, observed, exogenous, endogenous."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from relcap_models.psychometrics.structural.syntax import Term


@dataclass(frozen=True)
class Variables:
    """Names by part, each in the order in which lavaan lists them.

    latent : measured by `=~`. observed : all others: indicators, then outcomes, then predictors, then the
    rest. covariates : observed predictors that nothing explains and whose moments the model leaves alone;
    their variances, covariances and means are taken from the sample (lavaan's `fixed.x`).
    indicators : of `=~`. outcomes : left of `~`. predictors : right of `~`.
    """

    latent: tuple[str, ...]
    observed: tuple[str, ...]
    covariates: tuple[str, ...]
    indicators: tuple[str, ...]
    outcomes: tuple[str, ...]
    predictors: tuple[str, ...]

    @property
    def modelled(self) -> tuple[str, ...]:
        """Observed variables that are no covariates."""
        return _without(self.observed, self.covariates)

    @property
    def latent_exogenous(self) -> tuple[str, ...]:
        return _without(self.latent, (*self.indicators, *self.outcomes))

    @property
    def last_outcomes(self) -> tuple[str, ...]:
        """Outcomes that explain and indicate nothing, latent ones first: their residuals may covary."""
        last = _without(self.outcomes, (*self.indicators, *self.predictors))
        return tuple(v for v in (*self.latent, *self.observed) if v in last)


def variables_of(terms: Sequence[Term]) -> Variables:
    """Parts of the variables of one block (one group, one level)."""
    latent = _unique(t.lhs for t in terms if t.op == "=~")
    indicators = _unique(t.rhs for t in terms if t.op == "=~")
    outcomes = _unique(t.lhs for t in terms if t.op == "~")
    predictors = _unique(t.rhs for t in terms if t.op == "~")
    pairs = [t for t in terms if t.op == "~~"]
    named = [*(t.lhs for t in pairs), *(t.rhs for t in pairs)]
    means = [t.lhs for t in terms if t.op in ("~1", "|", "~*~")]
    observed_indicators = _without(indicators, latent)
    observed_outcomes = _without(outcomes, (*latent, *observed_indicators))
    observed_predictors = _without(predictors, (*latent, *observed_indicators, *observed_outcomes))
    rest = _without(_unique([*named, *means]), latent)
    observed = _unique([*observed_indicators, *observed_outcomes, *observed_predictors, *rest])
    covariates = _without(observed_predictors, [*named, *means])
    return Variables(latent, observed, covariates, indicators, outcomes, predictors)


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _without(names: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    left_out = set(others)
    return tuple(name for name in names if name not in left_out)
