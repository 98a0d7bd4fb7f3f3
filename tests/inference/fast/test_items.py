"""How far a step of the items goes."""

import numpy as np
import pytest

from relcap_models.inference.fast.items import FIRST_LENGTH, next_length


@pytest.mark.parametrize("curvature", [0.6, 1.0, 2.5])
def test_the_second_step_arrives_if_one_curvature_is_wrong_by_one_factor(curvature):
    # Each proposed step is `curvature` times the way that is left.
    rng = np.random.default_rng(1)
    root = rng.normal(size=(4, 4))
    metric, way = root @ root.T + np.eye(4), rng.normal(size=4)
    length, last = FIRST_LENGTH, None
    for _ in range(2):
        step = curvature * way
        length = next_length(length, last, step, metric, longest=2.0)
        last, way = step, way - length * step
    np.testing.assert_allclose(way, 0, atol=1e-12)


def test_a_step_is_never_longer_than_allowed_and_never_nothing():
    step = np.array([1.0, -1.0])
    assert next_length(1.0, step, 1.1 * step, np.eye(2), longest=2.0) == 2.0
    assert next_length(0.1, step, -20 * step, np.eye(2), longest=2.0) == 0.1
