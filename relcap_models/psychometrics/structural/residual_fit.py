"""How far a model is from the sample: root mean square residuals, and goodness of fit by weighted squares."""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.psychometrics.structural.estimate_dwls import residual, weights
from relcap_models.psychometrics.structural.fit import Fit
from relcap_models.psychometrics.structural.implied_moments import kept_moments, saturated_directions
from relcap_models.psychometrics.structural.likelihood import expected_information
from relcap_models.psychometrics.structural.residuals import correlation_residuals, moment_residuals


def residual_measures(fit: Fit) -> dict[str, float]:
    """RMR (of residuals as they are), SRMR (divided by sample deviations), CRMR (of correlations), by lavaan.

    The names without `nomean` count means, or thresholds of ordinal items (no means then), where they are
    modelled; `srmr` of ordinal items does not. `srmr_mplus` looks at correlations and relative differences of
    variances.

    Source: Jöreskog & Sörbom (1981); Bentler (1995), EQS program manual, 271-272; Bollen (1989), Structural
    Equations with Latent Variables, 257-258; Asparouhov & Muthén (2018), SRMR in Mplus.
    """
    found: dict[str, float] = {}
    parts = _ordinal_parts(fit) if fit.ordinal else _continuous_parts(fit)
    for sample, part in zip(fit.model.samples, parts):
        for name, value in part.items():
            found[name] = found.get(name, 0.0) + sample.n / fit.model.n * value
    srmr = {"srmr": found["srmr_bentler_nomean" if fit.ordinal else "srmr_bentler"]}
    return {"rmr": found.pop("rmr"), "rmr_nomean": found.pop("rmr_nomean"), **srmr, **found}


def _continuous_parts(fit: Fit) -> list[dict[str, float]]:
    found = []
    parts = zip(fit.model.parts(fit.theta), moment_residuals(fit), correlation_residuals(fit))
    for (_, block, moments, sample, mu), (covariance, mean), correlation in parts:
        deviation, implied = np.sqrt(np.diag(sample.cov)), np.sqrt(np.diag(moments.sigma))
        lower = np.tril_indices(len(deviation))
        off = correlation[np.tril_indices(len(deviation), k=-1)]
        relative = np.diag(covariance) / deviation**2
        standard = sample.mean / deviation - mu / implied
        kinds = {
            "rmr": (covariance[lower], mean),
            "srmr_bentler": ((covariance / np.outer(deviation, deviation))[lower], mean / deviation),
            "crmr": (off, mean / deviation),
            "srmr_mplus": (np.concatenate([off, relative]), standard),
        }
        found.append(_root_mean_squares(kinds, means=block.means))
    return found


def _ordinal_parts(fit: Fit) -> list[dict[str, float]]:
    """Variances are counted and not looked at (but for CRMR), and each covariate counts as one more."""
    found = []
    parts = zip(
        fit.names,
        fit.model.parts_ordinal,
        residual(fit.model, fit.theta),
        moment_residuals(fit),
        fit.model.samples,
    )
    for names, part, statistics, (covariance, _), sample in parts:
        below = np.tril_indices(len(covariance), k=-1)
        deviation = np.sqrt(np.diag(sample.cov))
        items = np.concatenate([part.item, np.flatnonzero(~part.ordinal)])
        thresholds = statistics[: len(items)][part.ordinal[np.sort(items)]]
        off, none = covariance[below], np.zeros(len(covariance) + len(names.covariates))
        standard = off / np.outer(deviation, deviation)[below]
        kinds = {
            "rmr": (np.concatenate([off, none]), thresholds),
            "srmr_bentler": (np.concatenate([standard, none]), thresholds),
            "crmr": (standard, thresholds),
        }
        found.append(_root_mean_squares(kinds, means=True))
    return found


def _root_mean_squares(kinds: dict[str, tuple[np.ndarray, np.ndarray]], *, means: bool) -> dict[str, float]:
    found = {}
    for name, (covariances, others) in kinds.items():
        both = np.concatenate([covariances, others]) if means else covariances
        for suffix, off in (("", both), ("_nomean", covariances)):
            found[name + suffix] = float(np.sqrt((off**2).mean())) if len(off) else 0.0
    return found


def goodness_of_fit(fit: Fit) -> dict[str, float]:
    """GFI, AGFI and PGFI: the share of the sample's weighted squares, of means too, that the model explains.

    Source: Jöreskog & Sörbom (1989), LISREL 7; Tanaka & Huba (1985), British Journal of Mathematical and
    Statistical Psychology 38, 197-201; Mulaik et al. (1989), Psychological Bulletin 105, 430-445.
    """
    shares, n_statistics = [], 0
    for sample, (left, whole, n) in zip(fit.model.samples, _weighted_squares(fit)):
        shares.append(sample.n / fit.model.n * (1 - left / whole))
        n_statistics += n
    gfi, df = float(sum(shares)), fit.test.df
    agfi = 1 - n_statistics / df * (1 - gfi) if df else 1.0
    return {"gfi": gfi, "agfi": agfi, "pgfi": df / n_statistics * gfi}


def _weighted_squares(fit: Fit) -> list[tuple[float, float, int]]:
    """(of the residuals, of the sample, number of statistics) by group; covariates' own count as 0."""
    if fit.ordinal:
        parts = zip(fit.model.statistics, weights(fit.model), residual(fit.model, fit.theta))
        return [(w @ off**2, w @ s.statistics.to_numpy() ** 2, len(w)) for s, w, off in parts]
    found = []
    for (_, block, moments, sample, mu), fixed in zip(fit.model.parts(fit.theta), fit.covariates):
        p, means = block.n_observed, block.means
        moving = saturated_directions(p, means=means, fixed=fixed)
        weight = expected_information(moving, moments.sigma, mu, sample)
        kept = kept_moments(p, means=means, fixed=fixed)
        cov, mean = _pairwise_moments(sample.values) if fit.fiml else (sample.cov, sample.mean)
        whole = _vector(cov, mean, means=means)[kept]
        off = _vector(cov - moments.sigma, mean - mu, means=means)[kept]
        found.append((off @ weight @ off, whole @ weight @ whole, len(kept)))
    return found


def _pairwise_moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(covariance, mean) of those who answered both variables, or one: lavaan's GFI with FIML is of these."""
    n = len(values)
    return pd.DataFrame(values).cov().to_numpy() * (n - 1) / n, np.nanmean(values, axis=0)


def _vector(cov: np.ndarray, mean: np.ndarray, *, means: bool) -> np.ndarray:
    """Means (if modelled), then the lower triangle column by column."""
    column, row = np.triu_indices(len(cov))
    return np.concatenate([mean, cov[row, column]]) if means else cov[row, column]
