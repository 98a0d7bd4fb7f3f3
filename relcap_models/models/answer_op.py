"""The likelihood of ordinal answers as one PyTensor operation: log density and slopes in one pass.

For PyMC models of the answers of a frame, that of `graph.build_graph` among them, in place of the plain
expressions in `blocks`, which it is tested against. The engines of this package do without graphs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numba import njit
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key

from relcap_models.models import kernels
from relcap_models.models.frame import Frame

_SLOPES, _DATA = 3, 5


class AnswerLikelihood(Op):
    """Σ log P(answer) of a family, and its slopes by η, loadings and thresholds.

    family : probit, logit or partial_credit. Data are inputs, so that one compiled function serves all data.
    """

    __props__ = ("family",)

    def __init__(self, family: str) -> None:
        self.family = family
        self.evaluate = _evaluator(family)

    def make_node(self, *inputs: Any) -> Apply:
        """eta (N·D,), loading (I,), threshold (flat, item by item); slot (M,) in eta, item (M,), answer (M,),
        first_threshold (I,), n_categories (I,)."""
        slopes = [pt.as_tensor_variable(value, dtype="float64") for value in inputs[:_SLOPES]]
        data = [pt.as_tensor_variable(value, dtype="int64") for value in inputs[_SLOPES:]]
        return Apply(self, [*slopes, *data], [pt.dscalar(), *(value.type() for value in slopes)])

    def perform(self, node: Apply, inputs: Sequence[np.ndarray], output_storage: list[list[Any]]) -> None:
        """Outside of compiled graphs."""
        for place, value in zip(output_storage, self.evaluate(*inputs)):
            place[0] = np.asarray(value)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """The log likelihood hangs on the parameters; slopes of slopes there are none."""
        return [[True] + [False] * _SLOPES] * _SLOPES + [[False] * (1 + _SLOPES)] * _DATA

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        """What the kernel found on the way."""
        return [cotangents[0] * slope for slope in outputs[1:]] + [DisconnectedType()() for _ in range(_DATA)]


def _evaluator(family: str) -> Any:
    """The kernel with arrays for its slopes."""
    probit, steps = family == "probit", family == "partial_credit"
    cumulative, partial_credit = kernels.cumulative, kernels.partial_credit

    @njit
    def evaluate(eta, loading, threshold, slot, item, answer, first, n_categories):
        d_eta, d_loading, d_threshold = np.zeros_like(eta), np.zeros_like(loading), np.zeros_like(threshold)
        if steps:
            total = partial_credit(
                eta,
                slot,
                item,
                answer,
                loading,
                threshold,
                first,
                n_categories,
                d_eta,
                d_loading,
                d_threshold,
            )
        else:
            total = cumulative(
                *(probit, eta, slot, item, answer, loading, threshold, first, n_categories),
                *(d_eta, d_loading, d_threshold),
            )
        return np.asarray(total), d_eta, d_loading, d_threshold

    return evaluate


@register_funcify_default_op_cache_key(AnswerLikelihood)
def _compiled(op: AnswerLikelihood, node: Apply | None = None, **rest: Any) -> Any:
    return op.evaluate


def answer_log_likelihood(
    family: str,
    frame: Frame,
    eta: pt.TensorVariable,
    loading: pt.TensorVariable,
    threshold: pt.TensorVariable,
) -> pt.TensorVariable:
    """Σ log P(answer) of a frame's answers.

    Parameters
    ----------
    family : probit, logit or partial_credit
    eta : (N, D) latent ratings · loading : (I,) · threshold : flat, item by item

    Source: the cumulative model of McCullagh (1980); partial credit, Masters (1982).
    """
    slot = frame.rating_of_response * len(frame.dimensions) + frame.dimension_of_item[frame.item_of_response]
    data = (slot, frame.item_of_response, frame.answer, frame.first_threshold, frame.n_categories)
    return AnswerLikelihood(family)(eta.ravel(), loading, threshold, *data)[0]
