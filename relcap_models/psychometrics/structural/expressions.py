"""Arithmetic between labels: what `:=` and `==` say, with exact derivatives."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping

import numpy as np

from relcap_models.errors import DataError

FUNCTIONS: dict[str, Callable] = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "tanh": np.tanh,
}
OPERATIONS: dict[type, Callable] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.USub: np.negative,
    ast.UAdd: np.positive,
}
WORD = re.compile(r"(?<![\w.])[A-Za-z.][\w.]*")
STEP = 1e-30


def names_in(text: str) -> tuple[str, ...]:
    """Labels that an expression uses, each once."""
    words = (m for m in WORD.finditer(text) if text[m.end() : m.end() + 1] != "(")
    return tuple(dict.fromkeys(m[0] for m in words if m[0] != "pi"))


def evaluate(text: str, values: Mapping[str, np.ndarray | float | complex]) -> np.ndarray:
    """Value of an expression, its labels taken from `values`.

    Raises
    ------
    DataError
        If it cannot be read, or uses something other than + - * / ^ and exp, log, sqrt, sin, cos, tan, tanh.
    """
    stand_in: dict[str, str] = {}
    # A label may hold dots, which Python would read as attributes.
    python = WORD.sub(lambda m: stand_in.setdefault(m[0], f"v{len(stand_in)}"), text.replace("^", "**"))
    label_of = {name: label for label, name in stand_in.items()}
    try:
        with np.errstate(all="ignore"):
            return _value(ast.parse(python, mode="eval").body, label_of, values)
    except (SyntaxError, KeyError, TypeError) as error:
        raise DataError(
            f"`{text}` cannot be worked out ({error}). Use labels, numbers, + - * / ^ ( ) and "
            + ", ".join(FUNCTIONS)
        ) from None


def gradient(text: str, values: Mapping[str, float]) -> dict[str, float]:
    """Derivative of an expression by each of its labels (by a complex step, exact to rounding)."""
    slopes = {}
    for label in names_in(text):
        moved = {name: complex(value) for name, value in values.items()}
        moved[label] += 1j * STEP
        slopes[label] = float(np.imag(evaluate(text, moved)) / STEP)
    return slopes


def _value(node: ast.expr, label_of: Mapping[str, str], values: Mapping) -> np.ndarray:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return np.asarray(float(node.value))
    if isinstance(node, ast.Name):
        label = label_of[node.id]
        return np.asarray(np.pi if label == "pi" and "pi" not in values else values[label])
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATIONS:
        left, right = _value(node.left, label_of, values), _value(node.right, label_of, values)
        return OPERATIONS[type(node.op)](left, right)
    if isinstance(node, ast.UnaryOp) and type(node.op) in OPERATIONS:
        return OPERATIONS[type(node.op)](_value(node.operand, label_of, values))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1:
        return FUNCTIONS[label_of[node.func.id]](_value(node.args[0], label_of, values))
    raise TypeError("unknown sign")
