"""The log density that is sampled is the graph's, and its gradient is right."""

import numpy as np
import pymc as pm
import pytensor

from relcap_models.models.density_blocks import UnitEffects


def graph_log_density(model: pm.Model):
    """A function of the values of the graph's free variables, without compiling anything."""
    mode = pytensor.compile.mode.Mode(linker="py", optimizer=None)
    return pytensor.function(model.value_vars, model.logp(), mode=mode, on_unused_input="ignore")


def unit_effects(density, x: np.ndarray) -> tuple[np.ndarray, float]:
    """Unit effects (unit, wave × variable) before centring, and log |d effects / d x|.

    The density samples them through a linear map, the same for every unit, that depends on the spreads.
    """
    block = next(b for b in density.blocks if isinstance(b, UnitEffects))
    values = {name: value.copy() for name, value in density.values(x).items()}
    effects = block.effects(values).reshape(len(density.frame.units), -1).copy()
    n = effects.shape[1]
    matrix = np.empty((n, n))
    for j in range(n):
        values["unit_z"] = np.zeros_like(values["unit_z"])
        values["unit_z"].reshape(len(effects), n)[0, j] = 1.0
        matrix[:, j] = block.effects(values).reshape(len(effects), n)[0]
    return effects, len(effects) * np.linalg.slogdet(matrix)[1]


def test_density_equals_that_of_the_graph_up_to_a_constant(case):
    graph = case.model.build(case.frame)
    layout = case.density.layout
    value_of = {rv.name: value for rv, value in graph.rvs_to_values.items()}
    assert set(value_of) == {p.name.replace("unit_z", "unit_effects") for p in layout.parameters}
    log_density = graph_log_density(graph)

    def by_graph(x):
        effects, log_jacobian = unit_effects(case.density, x)
        named = {value_of["unit_effects"]: effects}
        for p in layout.parameters:
            if p.name != "unit_z":
                value = value_of[p.name]
                named[value] = x[layout.slices[p.name]].reshape(p.shape if value.ndim else ())
        return float(log_density(*(named[value] for value in graph.value_vars))) + log_jacobian

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
