"""Psychometrics: reliability, factor analysis, item response theory, invariance and agreement.

Pure functions: a DataFrame (or array) of answers in, a small frozen result or a tidy table out. None of them
needs a study.

    reliability            Cronbach's alpha; omega by the Schmid–Leiman transformation
    correlations           polychoric and polyserial, with their covariance matrix
    factor analysis        how many factors, exploratory
    item response theory   graded response and generalised partial credit; item and person fit; DIF
    structural models      lavaan's syntax: confirmatory factor analysis with continuous and ordinal items,
                           structural equations, difference tests, measurement invariance
    agreement              within groups, intraclass correlations, social relations model
    of a survey            all instruments of a study examined: `examine`

Modules have other names than the functions in them. Names are looked up when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relcap_models.lazy import lookup

if TYPE_CHECKING:
    from relcap_models.psychometrics.agreement import average_deviation, awg, rwg_j, rwg_j_lindell
    from relcap_models.psychometrics.categorical_reliability import categorical_omega
    from relcap_models.psychometrics.differential_functioning import dif
    from relcap_models.psychometrics.dimensionality import bartlett_sphericity, kmo, parallel_analysis
    from relcap_models.psychometrics.exploratory_factors import efa
    from relcap_models.psychometrics.intraclass import icc, shrout_fleiss
    from relcap_models.psychometrics.irt import gpcm, grm
    from relcap_models.psychometrics.misfit import item_fit, person_fit
    from relcap_models.psychometrics.multilevel_reliability import multilevel_omega
    from relcap_models.psychometrics.omega_coefficients import omega
    from relcap_models.psychometrics.polychoric_correlations import polychoric, polyserial
    from relcap_models.psychometrics.reliability import cronbach_alpha
    from relcap_models.psychometrics.social_relations import srm_variances
    from relcap_models.psychometrics.structural.alignment import alignment
    from relcap_models.psychometrics.structural.cfa import cfa
    from relcap_models.psychometrics.structural.compare import compare
    from relcap_models.psychometrics.structural.invariance import invariance
    from relcap_models.psychometrics.structural.sam import sam
    from relcap_models.psychometrics.survey import Psychometrics, examine

_HOME = {
    "Psychometrics": "survey",
    "alignment": "structural.alignment",
    "average_deviation": "agreement",
    "awg": "agreement",
    "bartlett_sphericity": "dimensionality",
    "categorical_omega": "categorical_reliability",
    "cfa": "structural.cfa",
    "compare": "structural.compare",
    "cronbach_alpha": "reliability",
    "dif": "differential_functioning",
    "efa": "exploratory_factors",
    "examine": "survey",
    "gpcm": "irt",
    "grm": "irt",
    "icc": "intraclass",
    "invariance": "structural.invariance",
    "item_fit": "misfit",
    "kmo": "dimensionality",
    "multilevel_omega": "multilevel_reliability",
    "omega": "omega_coefficients",
    "parallel_analysis": "dimensionality",
    "person_fit": "misfit",
    "polychoric": "polychoric_correlations",
    "polyserial": "polychoric_correlations",
    "rwg_j": "agreement",
    "rwg_j_lindell": "agreement",
    "sam": "structural.sam",
    "shrout_fleiss": "intraclass",
    "srm_variances": "social_relations",
}

__all__ = [
    "Psychometrics",
    "alignment",
    "average_deviation",
    "awg",
    "bartlett_sphericity",
    "categorical_omega",
    "cfa",
    "compare",
    "cronbach_alpha",
    "dif",
    "efa",
    "examine",
    "gpcm",
    "grm",
    "icc",
    "invariance",
    "item_fit",
    "kmo",
    "multilevel_omega",
    "omega",
    "parallel_analysis",
    "person_fit",
    "polychoric",
    "polyserial",
    "rwg_j",
    "rwg_j_lindell",
    "sam",
    "shrout_fleiss",
    "srm_variances",
]

__getattr__ = lookup(__name__, _HOME)
