"""Chi-square difference tests between nested models."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import chi2

from relcap_models.errors import DataError
from relcap_models.psychometrics.structural.clusters import same_clusters
from relcap_models.psychometrics.structural.result import CfaResult
from relcap_models.psychometrics.structural.scaled_difference import scaled_difference

METHODS = ("satorra.bentler.2001", "satorra.2000")


def compare(*fits: CfaResult, method: str | None = None) -> pd.DataFrame:
    """Whether a model with more constraints fits worse: chi-square differences of nested models.

    Parameters
    ----------
    fits : two or more results on the same data with the same estimator, each nested in those with fewer
        degrees of freedom (which is not checked).
    method : of the difference under MLM and MLR: `satorra.bentler.2001` (if left out), or `satorra.2000`,
        scaled and shifted, with the constraints of the derivatives, which needs complete answers. Under WLSMV
        it is always the latter.

    Returns
    -------
    DataFrame with a row for each model, fewest degrees of freedom first; `model` is its position among `fits`
    (1, 2, …). Columns df, aic, bic (NaN with ordered items), chisq, and against the row before: chisq_diff
    (scaled under MLM and MLR, scaled and shifted under WLSMV), df_diff, p, scaling (NaN under ML and DWLS).

    Raises
    ------
    DataError
        If there are fewer than two, or their data or estimators differ, or the method does not suit them.

    Source: Satorra & Bentler (2001), Psychometrika 66, 507-514, for the scaled difference; Satorra (2000), in
    Heijmans, Pollock & Satorra (eds), Innovations in Multivariate Statistical Analysis, 233-247, under WLSMV.
    """
    if len(fits) < 2:
        raise DataError("At least two fitted models are needed")
    if len({(r.fit.estimator, r.fit.fiml) for r in fits}) > 1:
        raise DataError("The models were estimated in different ways: use one estimator and one `missing`")
    if fits[0].fit.estimator == "SAM":
        raise DataError("After `sam` no chi-square of the whole model can be compared: use `cfa`")
    if len({_clusters(r) for r in fits}) > 1:
        raise DataError("The models' respondents are in different clusters: use one `cluster` for all")
    if len({(r.n, r.groups, _variables(r), _ordered(r)) for r in fits}) > 1:
        raise DataError("The models belong to different respondents or variables, and cannot be compared")
    _check_method(method, fits[0])
    rows = []
    order = sorted(range(len(fits)), key=lambda i: fits[i].fit.test.df)
    for before, i in zip([None, *order], order):
        result = fits[i]
        row = {"model": i + 1, "df": result.fit.test.df}
        row |= {name: result.fit_measures.get(name, np.nan) for name in ("aic", "bic", "chisq")}
        rows.append(row | _difference(fits[before] if before is not None else None, result, method))
    return pd.DataFrame(rows)


def _check_method(method: str | None, result: CfaResult) -> None:
    if method is None:
        return
    if method not in METHODS:
        raise DataError(f"`method` is one of {', '.join(METHODS)}, and not {method!r}")
    fit = result.fit
    if not fit.scaled:
        raise DataError(f"`method` is of robust estimators, and the models were estimated by {fit.estimator}")
    if method != "satorra.2000" and fit.ordinal:
        raise DataError("Differences of ordinal models are tested by `satorra.2000`")
    if method == "satorra.2000" and (fit.fiml or fit.two_level):
        raise DataError("`satorra.2000` needs complete answers and one level: use satorra.bentler.2001")


def _variables(result: CfaResult) -> frozenset[str]:
    return frozenset(v for names in result.fit.names for v in names.observed)


def _clusters(result: CfaResult) -> object:
    samples = result.fit.model.samples
    return tuple(s.n_clusters for s in samples) if result.fit.two_level else same_clusters(samples)


def _ordered(result: CfaResult) -> frozenset[str]:
    return frozenset(result.fit.model.statistics[0].thresholds) if result.fit.ordinal else frozenset()


def _difference(larger: CfaResult | None, smaller: CfaResult, method: str | None) -> dict[str, float]:
    if larger is None:
        return {"chisq_diff": np.nan, "df_diff": np.nan, "p": np.nan, "scaling": np.nan}
    t1, t0 = larger.fit.test, smaller.fit.test
    df, chisq, scaling = t0.df - t1.df, t0.chisq - t1.chisq, np.nan
    if df == 0:
        return {"chisq_diff": chisq, "df_diff": 0, "p": np.nan, "scaling": np.nan}
    if smaller.fit.estimator == "WLSMV" or (smaller.fit.scaled and method == "satorra.2000"):
        scaling, shift = scaled_difference(larger.fit, smaller.fit, df)
        chisq = chisq / scaling + shift
    elif smaller.fit.scaled:
        scaling = (t0.df * t0.scaling - (t1.df * t1.scaling if t1.df else 0.0)) / df
        if scaling <= 0:
            raise DataError(
                f"The scaled difference of the models with {t1.df} and {t0.df} degrees of freedom cannot be "
                "computed (its scaling factor is negative): compare them under ML"
            )
        chisq /= scaling
    return {"chisq_diff": chisq, "df_diff": df, "p": float(chi2.sf(chisq, df)), "scaling": scaling}
