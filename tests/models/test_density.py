"""The log density that is sampled is the graph's, and its gradient is right."""

from dataclasses import replace

import numpy as np
import pymc as pm
import pytensor
import pytest
from scipy.special import logit
from scipy.stats import norm

from relcap_models.inference.geometry import observe_ratings
from relcap_models.models.density_blocks import Covariates, UnitEffects, orthonormal_contrasts
from relcap_models.models.density_relation import RelationEffects
from relcap_models.models.density_rows import Rows


def graph_log_density(model: pm.Model):
    """A function of the values of the graph's free variables, without compiling anything."""
    mode = pytensor.compile.mode.Mode(linker="py", optimizer=None)
    return pytensor.function(model.value_vars, model.logp(), mode=mode, on_unused_input="ignore")


def rows_of(block) -> dict[str, Rows]:
    """Rows of effects by the name of their parameter."""
    if isinstance(block, RelationEffects):
        return {f"{name}_z": rows for name, rows in block.kinds.items()}
    if isinstance(block, Covariates):
        return {}
    return {block.parameters[-1].name: block.rows}


def log_jacobian(rows: Rows) -> float:
    """Log determinant, up to a constant, of the map from z to L⁻¹·effects."""
    logs = np.log(np.diagonal(rows.inner, axis1=1, axis2=2)).sum(axis=1)
    return -float(logs[rows.kind].sum())


def unit_contrasts(density, x: np.ndarray) -> tuple[np.ndarray, float]:
    """Contrasts between the units' effects, and the log density of what is sampled beside them, with the log
    Jacobian: the units' mean, which is of no consequence.
    """
    density(x)
    rows = next(block.rows for block in density.effects if isinstance(block, UnitEffects))
    effects, factor = rows.rows, rows.factors[0]
    n, log_factor = len(effects), np.log(np.diag(factor)).sum()
    mean = np.linalg.solve(factor, np.sqrt(n) * effects.mean(axis=0))
    log_density = -0.5 * mean @ mean - log_factor + n * log_factor + log_jacobian(rows)
    return orthonormal_contrasts(n).T @ effects, log_density


def graph_normals(density, x: np.ndarray) -> tuple[dict[str, np.ndarray], float]:
    """The graph's standard normals of all effects but units', and the log Jacobian from ours to them."""
    density(x)
    values = density.values(x)
    normals, total = {}, 0.0
    for block in density.effects:
        if isinstance(block, UnitEffects):
            continue
        for name, rows in rows_of(block).items():
            if rows.adapted:
                effects = rows.rows
                z = np.linalg.solve(rows.factors[rows.kind], effects[:, :, None])
                normals[name] = z.reshape(values[name].shape)
                total += log_jacobian(rows)
    return normals, total


def test_density_equals_that_of_the_graph_up_to_a_constant(case):
    graph = case.model.build(case.frame, fused=False)
    layout = case.density.layout
    value_of = {rv.name: value for rv, value in graph.rvs_to_values.items()}
    other = {"unit_z": "unit_effects", "likeness_": "stability_", "stable_share_": "memory_"}
    names = {p.name: p.name for p in layout.parameters}
    for name in names:
        for ours, theirs in other.items():
            names[name] = names[name].replace(ours, theirs)
    assert set(value_of) == set(names.values())
    log_density = graph_log_density(graph)

    def by_graph(x):
        effects, of_units = unit_contrasts(case.density, x)
        named = {value_of["unit_effects"]: effects}
        normals, of_normals = graph_normals(case.density, x)
        values = case.density.values(x)
        for name, share in values.items():
            if name.startswith("stable_share_"):
                # dx of logit stability and logit memory over dx of log likeness and logit share.
                likeness = values[name.replace("stable_share", "likeness")]
                s, m = -np.expm1(-likeness * share), -np.expm1(-likeness * (1 - share))
                slopes = likeness**2 * share * (1 - share) * (1 - s) * (1 - m) / (s * (1 - s) * m * (1 - m))
                of_units += float(np.log(slopes[0]))
                effect = name.removeprefix("stable_share_")
                named[value_of[f"stability_{effect}"]] = logit(s).reshape(())
                named[value_of[f"memory_{effect}"]] = logit(m).reshape(())
        for p in layout.parameters:
            if p.name == names[p.name]:
                value = value_of[p.name]
                own = normals.get(p.name, x[layout.slices[p.name]])
                named[value] = own.reshape(p.shape if value.ndim else ())
            if p.prior == "half_normal":
                # The graph samples its logarithm, the density x in scale · −log Φ(−x).
                at = x[layout.slices[p.name]]
                named[value_of[p.name]] = np.log(values[p.name])
                slopes = p.first * norm.pdf(at) / norm.sf(at)
                of_units += float(np.log(slopes / values[p.name].ravel()).sum())
            if p.prior == "ordered":
                # The graph measures gaps from the first threshold on, the density from the best known one.
                rows = values[p.name]
                named[value_of[p.name]] = np.hstack([rows[:, :1], np.log(np.diff(rows, axis=1))])
        return float(log_density(*(named[value] for value in graph.value_vars))) + of_units + of_normals

    points = [case.point(seed) for seed in range(3)]
    ours = np.array([case.density(x)[0] for x in points])
    theirs = np.array([by_graph(x) for x in points])
    # PyMC's normal_lcdf holds √2 in single precision: about 1e-8 for each answer.
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=1e-7, atol=1e-6)


def test_gradient_equals_central_differences(case):
    x = case.point(7)
    _, gradient = case.density(x)
    gradient = gradient.copy()
    step = 1e-5
    for name, where in case.density.layout.slices.items():
        for j in {where.start, (where.start + where.stop) // 2, where.stop - 1}:
            ahead, behind = x.copy(), x.copy()
            ahead[j] += step
            behind[j] -= step
            slope = (case.density(ahead)[0] - case.density(behind)[0]) / (2 * step)
            np.testing.assert_allclose(gradient[j], slope, rtol=2e-6, atol=2e-6, err_msg=f"{name}[{j}]")
    direction = np.random.default_rng(3).normal(size=len(x))
    slope = (case.density(x + step * direction)[0] - case.density(x - step * direction)[0]) / (2 * step)
    np.testing.assert_allclose(gradient @ direction, slope, rtol=1e-6)


@pytest.mark.parametrize(
    "name", ["three waves, districts", "stable, three waves, some relations from one side"]
)
def test_both_hold_around_normal_scores_too(name, case_named):
    case = case_named(name)
    assert case.observed is not None
    case = replace(case, observed=None, density=case.model.density(case.frame))
    test_density_equals_that_of_the_graph_up_to_a_constant(case)
    test_gradient_equals_central_differences(case)


@pytest.mark.parametrize("name", ["one wave, own ratings", "three waves, districts"])
@pytest.mark.parametrize("observes", [True, False], ids=["pseudo-observations", "normal scores"])
def test_people_whose_answers_are_left_out_do_no_harm(observes, name, case_named):
    """Folds of cross-validation keep them, without answers: nothing is known of their effects."""
    case = case_named(name)
    frame = case.frame.without_answers_of(np.arange(0, len(case.frame.respondents), 2))
    observed = observe_ratings(case.model, frame) if observes else None
    assert (observed is not None) == observes
    test_gradient_equals_central_differences(
        replace(case, frame=frame, observed=observed, density=case.model.density(frame, observed))
    )


def test_what_is_kept_is_about_respondents_of_the_population(case):
    """With kept locations and effects of respondents as drawn, answers are as probable as when sampling."""
    frame, density, x = case.frame, case.density, case.point(4)
    density(x)
    centred = density._eta.copy()
    values = {name: value.copy() for name, value in density.values(x).items()}
    loading, location = (part.copy() for part in density.responses.item_parameters(values))
    kept = density.report(x)

    whole = case.model.density(frame, case.observed)
    centre, taken = whole._centre, []

    def watched(eta):
        before = eta.copy()
        centre(eta)
        taken.append(before - eta)

    whole._centre = watched
    whole(x)
    # The first half is of effects, the second of their derivatives.
    uncentred = whole._eta + sum(taken[: len(taken) // 2])
    mu = kept["mu"] if "mu" in kept else kept["mu_facet"]
    shape = (len(frame.waves), len(frame.facets), len(frame.dimensions))
    later = values.get("mu_later", np.zeros((0, 1))).reshape(-1, *shape[1:])
    later = np.concatenate([np.zeros((1, *shape[1:])), later])
    moved = (mu.reshape(shape) - later)[frame.wave_of_rating, frame.facet_of_rating]
    if "mu_own" in values:
        moved[frame.own] = (kept["mu_own"] - values["mu_own"])[frame.wave_of_rating[frame.own]]
    item, dimension = frame.item_of_response, frame.dimension_of_item[frame.item_of_response]

    def latent(eta):
        return loading[item] * eta[frame.rating_of_response, dimension]

    if case.model.family == "gaussian":
        ours, theirs = latent(uncentred + moved) + kept["intercept"][item], latent(centred) + location[item]
    else:
        first = frame.first_threshold[item]
        ours = kept["threshold"][first] - latent(uncentred + moved)
        theirs = location[first] - latent(centred)
    np.testing.assert_allclose(ours, theirs, atol=1e-9)
    if case.structure.respondents:
        assert np.abs(uncentred - centred).max() > 1e-3


def test_own_unit_ratings_do_not_inform_target_effects(case):
    """Moving one unit's target effect moves how others see it, and nothing at home."""
    if "target" not in case.structure.roles:
        pytest.skip("there are no target effects")
    x, density = case.point(2), case.model.density(case.frame, case.observed)
    for block in density.effects:
        for rows in rows_of(block).values():
            if rows.adapted:
                # Nothing follows what is moved.
                rows.information[:], rows.shared = 0.0, ()
    density(x)
    before = density._eta.copy()
    n_dimensions, n_waves = len(case.frame.dimensions), len(case.frame.waves)
    target = np.zeros((n_waves, len(case.structure.roles), n_dimensions))
    target[:, 1] = 1.0
    moved = x.copy()
    unit = int(np.flatnonzero(np.bincount(case.frame.target_of_relation))[0])
    factor = next(block.rows.factors[0] for block in density.effects if isinstance(block, UnitEffects))
    z = moved[density.layout.slices["unit_z"]].reshape(len(case.frame.units), -1)
    z[unit] += np.linalg.solve(factor, target.ravel())
    density(moved)
    change = density._eta - before
    seen = ~case.frame.own & (case.frame.target_of_rating == unit)
    # Effects are centred over the ratings of a level: what all others lose depends on how many see the unit.
    np.testing.assert_allclose(change[case.frame.own], 0.0, atol=1e-9)
    for wave in range(n_waves):
        here = ~case.frame.own & (case.frame.wave_of_rating == wave)
        share = (seen & here).sum() / here.sum()
        np.testing.assert_allclose(change[seen & here], 1 - share, atol=1e-9)
        np.testing.assert_allclose(change[~seen & here], -share, atol=1e-9)


@pytest.mark.parametrize("name", ["three waves, districts", "two waves, some relations from one side"])
def test_where_a_covariance_is_singular_to_rounding_there_is_no_density(name, case_named):
    """Partial correlations and stabilities of 1 have no factor: what is not a number must not travel."""
    density = case_named(name).density
    for part in ("_partial", "stability", "likeness"):
        x = density.layout.typical()
        for parameter, where in density.layout.slices.items():
            if part in parameter:
                x[where] = 1e3
        value, gradient = density(x)
        if np.isfinite(value):
            assert np.isfinite(gradient).all()
        else:
            assert value == -np.inf
            assert not gradient.any()
    x = density.layout.typical()
    x[density.layout.slices["corr_unit_partial"]] = 1e3
    assert density(x)[0] == -np.inf
