"""The social relations model finds what is known, and what TripleR and lme4 find."""

import numpy as np
import pandas as pd
import pytest

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics.round_robin import RoundRobin
from relcap_models.psychometrics.social_relations import srm_variances
from relcap_models.psychometrics.social_relations_anova import group_moments
from relcap_models.psychometrics.social_relations_reml import cross_products, deviance, fit_reml

PERSONS = {"rater": "perceiver.id", "target": "target.id"}
NAMES = {"rater": "rater", "target": "target", "value": "value"}
ORDER = ["actor", "partner", "relationship", "cov_actor_partner", "cov_relationship"]
TRUTH = pd.Series([0.5, 0.3, 1.0, 0.15, 0.3], index=ORDER)


def _all(found) -> pd.Series:
    return pd.concat([found.variances, found.covariances.add_prefix("cov_")])


def _simulate(rng: np.random.Generator, n: int, *, name: str = "g", missing: float = 0.0) -> pd.DataFrame:
    a, b, r, ab, rr = TRUTH
    effects = rng.multivariate_normal([0, 0], [[a, ab], [ab, b]], n)
    i, j = np.triu_indices(n, 1)
    relations = rng.multivariate_normal([0, 0], [[r, rr], [rr, r]], len(i))
    frame = pd.DataFrame({"rater": np.append(i, j), "target": np.append(j, i), "group": name})
    frame["value"] = 3 + effects[frame["rater"], 0] + effects[frame["target"], 1] + relations.T.ravel()
    return frame[rng.random(len(frame)) >= missing].reset_index(drop=True)


# --- Other software -------------------------------------------------------------------------------------


def test_errors_of_one_group_agree_with_tripler(data_of):
    found = srm_variances(data_of("tripler_liking"), **PERSONS, value="liking_a")
    # TripleR 1.5.4, R 4.2.2: RR(liking_a ~ perceiver.id*target.id, data=likingLong)
    assert found.se.tolist() == pytest.approx(
        [0.03493598767, 0.02228238109, 0.01653161895, 0.02003029324, 0.01653161895], rel=1e-8
    )
    assert found.correlations.tolist() == pytest.approx([0.1047866151, 0.1305877546], rel=1e-8)
    assert not found.notes


def test_reml_of_two_indicators_in_a_complete_group_is_anova(data_of):
    data = data_of("tripler_liking")
    anova, reml = (
        srm_variances(data, **PERSONS, value=("liking_a", "liking_b"), method=method)
        for method in ("anova", "reml")
    )
    # The anova estimates are TripleR's.
    assert reml.variances.tolist() == pytest.approx(anova.variances.tolist(), abs=5e-7)


def test_errors_of_two_indicators_agree_with_tripler(data_of):
    # TripleR 1.5.4, R 4.2.2: RR(liking_a/liking_b ~ perceiver.id*target.id, data=likingLong)
    found = srm_variances(data_of("tripler_liking"), **PERSONS, value=("liking_a", "liking_b"))
    assert found.se.tolist() == pytest.approx(
        [0.03559373708, 0.02250770956, 0.01629328426, 0.02134237196, 0.01629328426], rel=1e-8
    )
    assert _all(found)[ORDER[3:]].tolist() == pytest.approx([0.01221926307, 0.07919408423], rel=1e-8)
    assert found.correlations.tolist() == pytest.approx([0.09384240318, 0.15616365611], rel=1e-8)


# TripleR 1.5.4, R 4.2.2: RR(ex ~ perceiver.id*target.id|group.id, data=multiGroup, na.rm=TRUE, se=...)
MULTIGROUP = {
    "ex": (
        [0.23616358238, 0.84533082242, 1.20385509277, -0.01088430402, 0.10647995758],
        [0.03183654406, 0.12706901450, 0.04549237547, 0.05014991212, 0.03696470284],
        [0.02901105121, 0.09190964751, 0.02686554099, 0.03606839032, 0.02686554099],
    ),
    "ne": (
        [0.38915118589, 0.21017692627, 1.01116920356, -0.03901727096, 0.02208483672],
        [0.03969001947, 0.02875349891, 0.05039287790, 0.02531036893, 0.03032234297],
        [0.04265726668, 0.02573476433, 0.02278137675, 0.02327900434, 0.02278137675],
    ),
    ("ex", "ne"): (
        [-0.050302978199, -0.018197604350, -0.082423342538, 0.027463447110, -0.004864730719],
        [0.01685904130, 0.03865221947, 0.03094491265, 0.01457267798, 0.02015802302],
        [0.02472923476, 0.03490941750, 0.01747823205, 0.03276614078, 0.01747823205],
    ),
}


@pytest.mark.parametrize("value", list(MULTIGROUP))
def test_groups_with_missing_ratings_agree_with_tripler(data_of, value):
    data = data_of("tripler_multigroup")
    estimates, between, within = MULTIGROUP[value]
    found = srm_variances(data, **PERSONS, group="group.id", value=value)
    assert _all(found)[ORDER].tolist() == pytest.approx(estimates, rel=1e-7)
    assert found.se.tolist() == pytest.approx(between, rel=1e-6)
    assert found.groups["n_persons"].sum() == 217
    pooled = srm_variances(data, **PERSONS, group="group.id", value=value, se="within_groups")
    assert pooled.se.tolist() == pytest.approx(within, rel=1e-7)


def test_error_of_two_indicators_in_groups_agrees_with_tripler(data_of):
    found = srm_variances(data_of("tripler_multigroup"), **PERSONS, group="group.id", value=("ex", "ne"))
    assert found.variances["error"] == pytest.approx(2.098767406935, rel=1e-9)
    assert found.correlations.isna().all()
    assert any("actor, partner, relationship" in note for note in found.notes)


def test_without_actor_partner_covariance_lme4s_estimates_maximise_the_likelihood(data_of):
    matrix = data_of("tripler_liking").pivot(index="perceiver.id", columns="target.id", values="liking_a")
    theta = np.array([0.2, 0.1, 0, 0.7, 0.5])
    groups, free = [cross_products(matrix.to_numpy())], [0, 1, 3, 4]
    for _ in range(6):
        value, gradient, information = deviance(theta, groups)
        theta[free] -= np.linalg.solve(information[np.ix_(free, free)], gradient[free])
    dyad = (theta[3] - theta[4]) / 2
    found = {"actor": theta[0], "partner": theta[1], "dyad": dyad, "residual": theta[4]}
    # lme4 1.1.31 with ftol_abs 1e-12, xtol_abs 1e-10:
    # lmer(liking_a ~ 1 + (1|perceiver.id) + (1|target.id) + (1|dyad)), dyad the unordered pair
    assert list(found.values()) == pytest.approx(
        [0.17126539361, 0.10506277598, 0.07967990267, 0.52918158061], abs=2e-5
    )
    assert -value / 2 == pytest.approx(-3476.55726455, abs=1e-6)


# --- The likelihood against its definition --------------------------------------------------------------


def _dense(theta: np.ndarray, matrix: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Minus twice the restricted likelihood with the full covariance of all ratings."""
    i, j = np.nonzero(~np.isnan(matrix))
    y, n = matrix[i, j], len(i)
    same, other = np.eye(n), np.zeros((n, n))
    parts = np.zeros((5, n, n))
    for s in range(n):
        for t in range(n):
            parts[0, s, t], parts[1, s, t] = i[s] == i[t], j[s] == j[t]
            parts[2, s, t] = int(i[s] == j[t]) + int(j[s] == i[t])
            other[s, t] = i[s] == j[t] and j[s] == i[t]
    parts[3], parts[4] = (same + other) / 2, (same - other) / 2
    covariance = np.tensordot(theta, parts, axes=1)
    inverse, ones = np.linalg.inv(covariance), np.ones(n)
    precision = ones @ inverse @ ones
    p = inverse - np.outer(inverse @ ones, inverse @ ones) / precision
    value = np.linalg.slogdet(covariance)[1] + np.log(precision) + y @ p @ y + (n - 1) * np.log(2 * np.pi)
    gradient = np.array([np.trace(p @ v) - y @ p @ v @ p @ y for v in parts])
    information = np.array([[np.trace(p @ v @ p @ w) for w in parts] for v in parts])
    return value, gradient, information


@pytest.mark.parametrize("theta", [(0.5, 0.3, -0.2, 1.4, 0.6), (0.5, 0.0, 0.0, 0.9, 1.2)])
def test_likelihood_and_derivatives_are_those_of_the_full_covariance(theta):
    rng = np.random.default_rng(2)
    matrices = [rng.normal(3, 1, (n, n)) for n in (6, 5)]
    for matrix in matrices:
        matrix[rng.random(matrix.shape) < 0.3] = np.nan
        np.fill_diagonal(matrix, np.nan)
    theta = np.array(theta)
    expected = [sum(part) for part in zip(*(_dense(theta, matrix) for matrix in matrices))]
    found = deviance(theta, [cross_products(matrix) for matrix in matrices])
    for ours, theirs in zip(found, expected):
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)


def test_gradient_is_the_slope_of_the_likelihood():
    groups = [cross_products(_simulate(np.random.default_rng(3), 7, missing=0.2).pipe(_matrix))]
    theta, h = np.array([0.5, 0.3, 0.1, 1.4, 0.6]), 1e-5
    _, gradient, _ = deviance(theta, groups)
    for k in range(5):
        step = h * np.eye(5)[k]
        slope = (deviance(theta + step, groups)[0] - deviance(theta - step, groups)[0]) / (2 * h)
        assert gradient[k] == pytest.approx(slope, rel=1e-6, abs=1e-6)


def _matrix(frame: pd.DataFrame) -> np.ndarray:
    n = frame[["rater", "target"]].max().max() + 1
    matrix = np.full((n, n), np.nan)
    matrix[frame["rater"], frame["target"]] = frame["value"]
    return matrix


# --- What must hold -------------------------------------------------------------------------------------


def test_reml_of_a_complete_group_is_anova():
    data = _simulate(np.random.default_rng(11), 20)
    anova = srm_variances(data, **NAMES)
    reml = srm_variances(data, **NAMES, method="reml")
    assert _all(reml)[ORDER].tolist() == pytest.approx(_all(anova)[ORDER].tolist(), rel=1e-5)


@pytest.mark.parametrize("method", ["anova", "reml"])
def test_turning_ratings_round_swaps_actor_and_partner(method):
    data = _simulate(np.random.default_rng(5), 12, missing=0.1 if method == "reml" else 0.0)
    one = srm_variances(data, **NAMES, method=method)
    turned = data.rename(columns={"rater": "target", "target": "rater"}).sample(frac=1, random_state=1)
    turned["value"] = 10 - 2 * turned["value"]
    other = srm_variances(turned, **NAMES, method=method)
    swapped = ["partner", "actor", *ORDER[2:]]
    assert _all(other)[swapped].tolist() == pytest.approx((4 * _all(one)[ORDER]).tolist(), rel=1e-4)
    assert other.se[swapped].tolist() == pytest.approx((4 * one.se).tolist(), rel=1e-4)


def test_names_may_come_again_in_other_groups():
    rng = np.random.default_rng(6)
    data = pd.concat([_simulate(rng, 8, name=name) for name in "ab"])
    unique = data.assign(
        rater=data["rater"].astype(str) + data["group"], target=data["target"].astype(str) + data["group"]
    )
    for method in ("anova", "reml"):
        one = srm_variances(data, **NAMES, group="group", method=method)
        other = srm_variances(unique, **NAMES, group="group", method=method)
        assert _all(one).tolist() == pytest.approx(_all(other).tolist())


# --- Recovery -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "missing"), [("anova", 0.0), ("reml", 0.0), ("reml", 0.4)])
def test_known_variances_are_recovered_within_their_standard_errors(method, missing):
    rng = np.random.default_rng(7)
    n = 80
    fits = []
    for _ in range(n):
        data = pd.concat([_simulate(rng, size, name=f"g{size}", missing=missing) for size in (10, 14, 18)])
        fits.append(srm_variances(data, **NAMES, group="group", method=method, se="within_groups"))
    estimates = pd.DataFrame([_all(fit)[ORDER] for fit in fits])
    # Four Monte Carlo standard errors for the mean; for a standard deviation of n, 1/√(2(n − 1)) of it.
    assert ((estimates.mean() - TRUTH).abs() < 4 * estimates.std() / n**0.5).all()
    errors = np.sqrt(pd.DataFrame([fit.se**2 for fit in fits]).mean())
    assert ((errors / estimates.std() - 1).abs() < 4 / (2 * (n - 1)) ** 0.5).all()


def test_variances_of_the_anova_estimates_are_estimated_without_bias():
    rng = np.random.default_rng(8)
    n = 2000
    robins = [RoundRobin("g", tuple(range(6)), _matrix(_simulate(rng, 6))[None]) for _ in range(n)]
    found = [group_moments(robin) for robin in robins]
    spread = pd.DataFrame([moments.estimates for moments in found])
    squares = pd.DataFrame([moments.se for moments in found]) ** 2
    # Error of a variance of n heavy-tailed draws, and of the mean of n squared errors.
    deviations = (spread - spread.mean()) ** 2
    error = np.hypot(deviations.std(), squares.std()) / n**0.5
    assert ((deviations.mean() - squares.mean()).abs() < 4 * error).all()


def test_error_between_groups_is_the_spread_of_their_estimates():
    rng = np.random.default_rng(9)
    data = pd.concat([_simulate(rng, 8, name=f"g{k}") for k in range(40)])
    found = srm_variances(data, **NAMES, group="group")
    # Groups of one size: the usual standard error of a mean.
    expected = found.groups[ORDER].std() / 40**0.5
    assert found.se.tolist() == pytest.approx(expected.tolist())
    assert ((_all(found)[ORDER] - TRUTH).abs() < 4 * found.se).all()


@pytest.mark.parametrize("method", ["anova", "reml"])
def test_two_indicators_tell_relationship_from_error(method):
    rng = np.random.default_rng(10)
    fits = []
    for _ in range(40):
        data = _simulate(rng, 16)
        for name in ("one", "two"):
            data[name] = (
                data["value"] + rng.normal(0, 0.6**0.5, len(data)) + rng.normal(0, 0.4, 16)[data["rater"]]
            )
        fits.append(srm_variances(data, rater="rater", target="target", value=("one", "two"), method=method))
    estimates = pd.DataFrame([_all(fit) for fit in fits])
    expected = pd.concat([TRUTH, pd.Series({"error": 0.6 + 0.16})])
    assert ((estimates.mean() - expected[estimates.columns]).abs() < 4 * estimates.std() / 40**0.5).all()


# --- Data as people have them ---------------------------------------------------------------------------


def test_missing_cells_as_missing_rows_are_the_same():
    data = _simulate(np.random.default_rng(12), 10)
    data.loc[[3, 17, 40], "value"] = np.nan
    for method in ("anova", "reml"):
        one = srm_variances(data, **NAMES, method=method)
        other = srm_variances(data.dropna(), **NAMES, method=method)
        assert _all(one).tolist() == pytest.approx(_all(other).tolist())
        assert one.groups["n_ratings"].tolist() == [87]


def test_most_ratings_missing_is_said_and_reml_still_fits():
    data = _simulate(np.random.default_rng(13), 30, missing=0.6)
    anova = srm_variances(data, **NAMES)
    assert any("most in all (59%)" in note for note in anova.notes)
    reml = srm_variances(data, **NAMES, method="reml")
    assert ((_all(reml)[ORDER] - TRUTH).abs() < 4 * reml.se).all()


def test_who_is_left_out_is_said():
    data = _simulate(np.random.default_rng(14), 8)
    small = data[(data["rater"] < 3) & (data["target"] < 3)].assign(group="tiny")
    self_rating = pd.DataFrame({"rater": [1], "target": [1], "group": ["g"], "value": [4.0]})
    silent = data[data["rater"] != 5]
    found = srm_variances(pd.concat([silent, small, self_rating]), **NAMES, group="group")
    assert found.groups["n_persons"].to_dict() == {"g": 7}
    assert found.notes == (
        "1 self ratings are not used",
        "Group g: 1 persons gave or got no rating and are left out (5)",
        "Group tiny has 3 persons, fewer than four: left out",
    )


def test_who_only_rates_and_who_is_rated_by_those_only_is_left_out_too():
    data = _simulate(np.random.default_rng(19), 8)
    unrated = data[data["target"] != 6]
    chained = unrated[(unrated["target"] != 7) | (unrated["rater"] == 6)]
    found = srm_variances(chained, **NAMES)
    assert found.groups["n_persons"].tolist() == [6]
    inner = data[(data["rater"] < 6) & (data["target"] < 6)]
    assert _all(found).tolist() == pytest.approx(_all(srm_variances(inner, **NAMES)).tolist())
    assert any("(6, 7)" in note for note in found.notes)
    reml = srm_variances(chained, **NAMES, method="reml")
    assert reml.groups["n_persons"].tolist() == [8]


@pytest.mark.parametrize("kind", ["mutual", "raters only"])
def test_ratings_without_residual_have_moments_and_no_likelihood(kind):
    data = _simulate(np.random.default_rng(18), 8)
    if kind == "mutual":
        pair = data[["rater", "target"]].min(axis=1) * 8 + data[["rater", "target"]].max(axis=1)
        data["value"] = data.groupby(pair)["value"].transform("mean")
    else:
        data["value"] = data["rater"] * 1.0
    anova = srm_variances(data, **NAMES)
    if kind == "mutual":
        assert anova.correlations.tolist() == pytest.approx([1, 1])
    else:
        # Variance of 0, …, 7 is 6.
        assert anova.variances.tolist() == pytest.approx([6, 0, 0], abs=1e-12)
        assert anova.correlations.isna().all()
    with pytest.raises(FitError, match="use anova"):
        srm_variances(data, **NAMES, method="reml")


def test_a_negative_variance_has_no_correlation_in_anova_and_is_at_the_limit_in_reml():
    rng = np.random.default_rng(15)
    data = _simulate(rng, 8)
    # Every rater gives the same on average: less than chance would have them differ.
    data["value"] -= data.groupby("rater")["value"].transform("mean")
    anova = srm_variances(data, **NAMES)
    assert anova.variances["actor"] < 0
    assert np.isnan(anova.correlations["actor_partner"])
    assert any("not positive (actor" in note for note in anova.notes)
    reml = srm_variances(data, **NAMES, method="reml")
    assert 0 <= reml.variances["actor"] < 0.05
    assert any("limit of what is possible: actor" in note for note in reml.notes)


def test_without_mutual_ratings_there_is_an_error():
    data = _simulate(np.random.default_rng(16), 8)
    ring = data[(data["target"] - data["rater"]) % 8 < 4]
    with pytest.raises(DataError, match="no two persons rated each other"):
        srm_variances(ring, **NAMES)
    with pytest.raises(FitError, match="No two persons rated each other"):
        srm_variances(ring, **NAMES, method="reml")


def test_too_little_to_tell_apart_is_an_error():
    pair = pd.DataFrame({"rater": [0, 1, 2, 3], "target": [1, 0, 3, 2], "value": [1.0, 2, 3, 5]})
    with pytest.raises(FitError, match="cannot tell the variances apart"):
        srm_variances(pair, **NAMES, method="reml")
    with pytest.raises(FitError, match="do not vary within"):
        fit_reml([np.array([[np.nan, 2.0], [2.0, np.nan]])])


def test_unusable_input_is_named():
    data = _simulate(np.random.default_rng(17), 6)
    with pytest.raises(DataError, match="no column who"):
        srm_variances(data, rater="who", target="target", value="value")
    with pytest.raises(DataError, match="twice, such as of 1 by 0"):
        srm_variances(pd.concat([data, data[:1]]), **NAMES)
    with pytest.raises(DataError, match="no numbers"):
        srm_variances(data.astype({"value": object}).replace({"value": {data["value"][0]: "x"}}), **NAMES)
    with pytest.raises(DataError, match="1 ratings miss"):
        srm_variances(data.assign(rater=data["rater"].where(data.index > 0)), **NAMES)
    with pytest.raises(DataError, match="are the same"):
        srm_variances(
            data.assign(copy=data["value"]), rater="rater", target="target", value=("value", "copy")
        )
    with pytest.raises(DataError, match="pair of different"):
        srm_variances(data, rater="rater", target="target", value=("value", "value"))
    with pytest.raises(DataError, match="'ml' is anova or reml"):
        srm_variances(data, **NAMES, method="ml")
    with pytest.raises(DataError, match="no ratings of other persons"):
        srm_variances(data.assign(target=data["rater"]), **NAMES)
