"""How well a model fits: lavaan's measures under lavaan's names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import chi2, ncx2

from relcap_models.psychometrics.structural.categorical_ml import corrected_for_categories
from relcap_models.psychometrics.structural.comparative_fit import comparative_measures, reduction_measures
from relcap_models.psychometrics.structural.estimate_ml import total_hessian
from relcap_models.psychometrics.structural.fit import Fit, fit_baseline
from relcap_models.psychometrics.structural.fit_ordinal import fit_ordinal_baseline
from relcap_models.psychometrics.structural.residual_fit import goodness_of_fit, residual_measures
from relcap_models.psychometrics.structural.residuals import correlation_residuals
from relcap_models.psychometrics.structural.robust import corrected_for_missing
from relcap_models.psychometrics.structural.two_level_fit import fit_two_level_baseline
from relcap_models.psychometrics.structural.two_level_likelihood import two_level_hessian, two_level_minimum

CLOSE, NOT_CLOSE = 0.05, 0.08


def fit_measures(fit: Fit) -> pd.Series:
    """Fit measures by lavaan's names; those with `scaled` or `robust` only where the estimator has them.

    Two-level models have no residual measures but SRMR. Those of lavaan's that are settings (the level of
    RMSEA's interval, .90, and its bounds of close and of bad fit, .05 and .08) are left out. Two are counted
    as lavaan 0.6-14 counts: `scaling.factor.h0` over parameters before they were set equal, `wrmr` over the
    statistics of one group. For Mplus's, multiply the former by (parameters before) / `npar`, and divide the
    latter by the square root of the number of groups.

    Source: RMSEA as in Steiger (1990), Multivariate Behavioral Research 25, 173-180; robust CFI, TLI and
    RMSEA: Brosseau-Liard & Savalei (2012, 2014); with missing answers: Zhang & Savalei (2023), Psychological
    Methods 28, 263-283; of ordinal items alone: Savalei (2021). Others: `comparative_fit`, `residual_fit`.
    """
    if fit.two_level:
        baseline = fit_two_level_baseline(fit)
    else:
        baseline = fit_ordinal_baseline(fit) if fit.ordinal else fit_baseline(fit)
    test, null = fit.test, baseline.test
    scaled = fit.scaled
    found: dict[str, float] = {
        "npar": fit.model.n_estimated,
        "fmin": two_level_minimum(fit.model, fit.theta) if fit.two_level else test.chisq / (2 * fit.model.n),
        "chisq": test.chisq,
        "df": test.df,
        "pvalue": test.p,
    }
    if scaled:
        found |= {
            "chisq.scaled": test.chisq_scaled,
            "df.scaled": test.df,
            "pvalue.scaled": test.p_scaled,
            "chisq.scaling.factor": test.scaling,
        }
    found |= {"baseline.chisq": null.chisq, "baseline.df": null.df, "baseline.pvalue": null.p}
    if scaled:
        found |= {
            "baseline.chisq.scaled": null.chisq_scaled,
            "baseline.df.scaled": null.df,
            "baseline.pvalue.scaled": null.p_scaled,
            "baseline.chisq.scaling.factor": null.scaling,
        }
    pairs = {"": (test.chisq, test.df, null.chisq, null.df)}
    if scaled:
        pairs[".scaled"] = (test.chisq_scaled, test.df, null.chisq_scaled, null.df)
    for suffix, pair in pairs.items():
        found |= comparative_measures(suffix, *pair) | reduction_measures(suffix, *pair)
    corrected = _corrected(fit, baseline)
    if corrected:
        chisq, factor, null_chisq, null_factor = corrected
        found |= comparative_measures(".robust", chisq, test.df, null_chisq, null.df, factor, null_factor)
    found |= {"ntotal": fit.model.n} if fit.ordinal else _information(fit)
    if fit.estimator == "MLR":
        found |= _scaling_factors(fit)
    groups = len(fit.model.samples)
    # Least squares has n - 1 where maximum likelihood has n.
    n = fit.model.n_errors if fit.ordinal else fit.model.n
    found |= _rmsea("", test.chisq, test.chisq, test.df, 1.0, n, groups)
    if scaled and fit.ordinal:
        found |= _rmsea(".scaled", test.chisq_scaled, test.chisq_scaled, test.df, 1.0, n, groups)
    elif scaled:
        # The unscaled chi-square against the trace of U Γ, which is its expectation.
        trace = test.df * test.scaling
        found |= _rmsea(".scaled", test.chisq, test.chisq, trace, 1.0, n, groups)
    if corrected:
        shown = chisq / factor if test.df else 0.0
        found |= _rmsea(".robust", chisq, shown, test.df, factor, n, groups)
    if fit.two_level:
        found |= _srmr_by_level(fit)
    else:
        found |= residual_measures(fit) | goodness_of_fit(fit) | _others(fit, n)
    return pd.Series(found, dtype=float, name="value")


def sam_fit_measures(structural: Fit) -> pd.Series:
    """Of the structural part; its baseline lets exogenous variables covary, as if they were given."""
    names = tuple(
        replace(v, covariates=tuple(x for x in v.observed if x not in v.outcomes)) for v in structural.names
    )
    measures = fit_measures(replace(structural, names=names))
    return measures[["chisq", "df", "pvalue", "cfi", "tli", "rmsea", "srmr"]]


def _corrected(fit: Fit, baseline: Fit) -> tuple[float, float, float, float] | None:
    """(chi-square, its factor, the baseline's, its factor) of the robust measures, if there are any."""
    if fit.ordinal:
        return corrected_for_categories(fit.model, fit.theta) if fit.scaled else None
    if not fit.two_level and not all(sample.determined for sample in fit.model.samples):
        return None
    if fit.fiml:
        pairs = []
        for one in (fit, baseline):
            robust = fit.estimator == "MLR"
            chisq, trace = corrected_for_missing(one.model, one.theta, one.covariates, robust=robust)
            pairs += [chisq, trace / one.test.df if one.test.df else 1.0]
        return tuple(pairs)
    if not fit.scaled:
        return None
    return fit.test.chisq, fit.test.scaling, baseline.test.chisq, baseline.test.scaling


def _rmsea(
    suffix: str, chisq: float, tested: float, df: float, factor: float, n: int, groups: int
) -> dict[str, float]:
    """RMSEA with its 90 % interval and p-values of close fit and of none. tested : what they use."""
    names = [
        f"rmsea{suffix}",
        *(f"rmsea.{part}{suffix}" for part in ("ci.lower", "ci.upper", "pvalue", "notclose.pvalue")),
    ]
    if not df > 0:
        return dict(zip(names, (0.0, 0.0, 0.0, np.nan, np.nan)))
    value = np.sqrt(max(chisq / n / df - factor / n, 0.0) * groups)
    ends = [np.sqrt(factor * _noncentrality(tested, df, tail) / (n * df) * groups) for tail in (0.95, 0.05)]
    close = float(ncx2.sf(tested, df, n * df / factor * CLOSE**2 / groups))
    not_close = float(ncx2.cdf(tested, df, n * df / factor * NOT_CLOSE**2 / groups))
    return dict(zip(names, (value, *ends, close, not_close)))


def _noncentrality(chisq: float, df: float, tail: float) -> float:
    """The noncentrality at which a chi-square as low as this has probability `tail`."""
    if chi2.cdf(chisq, df) < tail:
        return 0.0
    top = max(chisq, 1.0)
    while ncx2.cdf(chisq, df, top) > tail:
        top *= 2
    return brentq(lambda nc: ncx2.cdf(chisq, df, nc) - tail, 1e-12, top, xtol=1e-10)


def _information(fit: Fit) -> dict[str, float]:
    k, n = fit.model.n_estimated, fit.model.n
    return {
        "logl": fit.logl,
        "unrestricted.logl": fit.logl_saturated,
        "aic": -2 * fit.logl + 2 * k,
        "bic": -2 * fit.logl + np.log(n) * k,
        "ntotal": n,
        "bic2": -2 * fit.logl + np.log((n + 2) / 24) * k,
    }


def _scaling_factors(fit: Fit) -> dict[str, float]:
    """Of the log-likelihoods of the saturated model and of this one."""
    hessian = two_level_hessian if fit.two_level else total_hessian
    own = fit.model.n * float(np.trace(hessian(fit.model, fit.theta) @ fit.vcov))
    k, df = fit.model.n_estimated, fit.test.df
    if not df or not k:
        return {}
    saturated = (own + df * fit.test.scaling) / (k + df)
    return {"scaling.factor.h1": saturated, "scaling.factor.h0": own / int((fit.table["free"] > 0).sum())}


def _others(fit: Fit, n: int) -> dict[str, float]:
    """Hoelter's critical n, McDonald's noncentrality index, and cross-validation, or WRMR of ordinal items.

    Source: Hoelter (1983), Sociological Methods & Research 11, 325-344; McDonald (1989), Journal of
    Classification 6, 97-103; Browne & Cudeck (1989); Muthén (1998), Mplus Technical Appendices.
    """
    chisq, df = fit.test.chisq, fit.test.df
    critical = {
        f"cn_{tail:02d}": chi2.isf(tail / 100, df) * n / chisq + 1 if df else np.nan for tail in (5, 1)
    }
    found = critical | {"mfi": np.exp(-0.5 * (chisq - df) / n)}
    if fit.ordinal:
        return found | {"wrmr": np.sqrt(chisq / len(fit.model.statistics[0].statistics))}
    return found | {"ecvi": (chisq + 2 * fit.model.n_estimated) / n}


def _srmr_by_level(fit: Fit) -> dict[str, float]:
    """From correlations; lavaan's `srmr` of two levels is the sum of theirs."""
    found = {"srmr_within": 0.0, "srmr_between": 0.0}
    for b, off in enumerate(correlation_residuals(fit)):
        share = fit.model.samples[b // 2].n / fit.model.n
        level = "srmr_between" if b % 2 else "srmr_within"
        found[level] += share * np.sqrt((off[np.tril_indices(len(off))] ** 2).mean())
    return {"srmr": sum(found.values()), **found}
