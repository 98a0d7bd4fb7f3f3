"""Agreement, intraclass correlations and social relations, against multilevel, psych, TripleR and lme4."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from relcap_models.psychometrics import (
    average_deviation,
    awg,
    icc,
    rwg_j,
    rwg_j_lindell,
    shrout_fleiss,
    srm_variances,
)
from relcap_models.psychometrics.social_relations_reml import cross_products, deviance
from tests.validation.reference.entry import DIGITS, Entry, Tolerance, read

# Shrout & Fleiss (1979), Table 2: six targets, four judges.
RATINGS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
PERSONS = {"rater": "perceiver.id", "target": "target.id"}
# Half a unit of the last digit that is printed.
SIX_DIGITS, THREE_DIGITS = (Tolerance(0.0, 0.51 * 10**-k) for k in (6, 3))


def _companies(reference: Path) -> pd.Series:
    data = read(reference, "multilevel_lq2002")
    items, group = data.filter(regex=r"^LEAD\d"), data["COMPID"]
    agreement, alike = rwg_j(items, group, n_categories=5), icc(items, group)
    return pd.Series(
        {
            "icc1": alike.icc1,
            "icc2": alike.icc2,
            "rwg.j.mean": agreement.mean(),
            "rwg.j.median": agreement.median(),
            "rwg.j.lindell.mean": rwg_j_lindell(items, group, n_categories=5).mean(),
            "awg.mean": awg(items, group, scale=(1, 5)).mean(),
            "ad.mean": average_deviation(items, group).mean(),
        }
    )


def _soldiers(reference: Path) -> pd.Series:
    data = read(reference, "multilevel_bh1996")
    found = {scale: icc(data[scale], data["GRP"]) for scale in ("COHES", "LEAD", "HRS", "WBEING")}
    return pd.Series(
        {f"{kind}:{scale}": getattr(one, kind) for scale, one in found.items() for kind in ("icc1", "icc2")}
    )


def _six_coefficients(reference: Path) -> pd.Series:
    table = shrout_fleiss(RATINGS)
    bounds = [table[end].add_suffix(f".{end}") for end in ("lower", "upper")]
    return pd.concat([table["value"], *bounds])


def _liking(reference: Path, value: str | tuple[str, str]) -> pd.Series:
    found = srm_variances(read(reference, "tripler_liking"), **PERSONS, value=value)
    if isinstance(value, tuple):
        return found.variances
    covariances = found.covariances.rename({"actor_partner": "actor.partner"}).add_prefix("cov.")
    return pd.concat([found.variances, covariances, pd.Series({"se.actor": found.se["actor"]})])


def _groups(reference: Path) -> pd.Series:
    found = srm_variances(read(reference, "tripler_multigroup"), **PERSONS, group="group.id", value="ex")
    covariances = {
        "cov_pt": found.covariances["actor_partner"],
        "cov_rel": found.covariances["relationship"],
    }
    return pd.concat(
        [found.variances.rename({"actor": "perceiver", "partner": "target"}), pd.Series(covariances)]
    )


def _crossed(reference: Path) -> pd.Series:
    """The maximum of our restricted likelihood where actor and partner effects do not covary, as in lme4."""
    matrix = read(reference, "tripler_liking").pivot(
        index="perceiver.id", columns="target.id", values="liking_a"
    )
    start = _liking(reference, "liking_a")
    dyad, relationship = start["cov.relationship"], start["relationship"]
    theta = np.array([start["actor"], start["partner"], 0, relationship + dyad, relationship - dyad])
    groups, free = [cross_products(matrix.to_numpy())], [0, 1, 3, 4]
    for _ in range(8):
        _, gradient, information = deviance(theta, groups)
        theta[free] -= np.linalg.solve(information[np.ix_(free, free)], gradient[free])
    return pd.Series(
        {
            "actor": theta[0],
            "partner": theta[1],
            "dyad": (theta[3] - theta[4]) / 2,
            "residual": theta[4],
        }
    )


ROBIN = "Social relations model"
PRINTED = "six decimals are printed"
ENTRIES = (
    Entry("lq2002.LEAD by COMPID", "Agreement within groups, ICC", _companies, DIGITS),
    Entry("bh1996 by GRP", "Agreement within groups, ICC", _soldiers, DIGITS),
    Entry("shrout.fleiss", "Six intraclass correlations of raters", _six_coefficients, DIGITS),
    Entry("likingLong.liking_a", ROBIN, partial(_liking, value="liking_a"), SIX_DIGITS, remark=PRINTED),
    Entry(
        "likingLong.liking_a,liking_b latent",
        ROBIN,
        partial(_liking, value=("liking_a", "liking_b")),
        SIX_DIGITS,
        remark=PRINTED,
    ),
    Entry(
        "multiGroup.ex", f"{ROBIN}, ten groups", _groups, THREE_DIGITS, remark="three decimals are printed"
    ),
    Entry(
        "likingLong.liking_a crossed REML",
        "Crossed effects of persons, REML",
        _crossed,
        Tolerance(0.0, 3e-4),
        remark="lme4 stops early; its stricter settings give ours",
    ),
)
