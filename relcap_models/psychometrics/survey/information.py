"""Where along a dimension its items tell ratings apart: graded response models."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from relcap_models.psychometrics.irt import grm
from relcap_models.psychometrics.survey.answers import merge_rare
from relcap_models.psychometrics.survey.notes import Notes
from relcap_models.psychometrics.survey.scopes import Scope

THETA = np.linspace(-4, 4, 33)
FEWEST_ITEMS = 3


def information_rows(scope: Scope, notes: Notes) -> Iterator[dict[str, object]]:
    """Per dimension of three items or more and point of the trait: information of each item and of all.

    `item` is empty for the sum. Two items cannot tell their slopes apart, so such dimensions have no rows.
    """
    for dimension, names in scope.answers.dimensions.items():
        if len(names) < FEWEST_ITEMS:
            notes.add(scope.split, scope.group, "too_few_items", dimension, "information takes three items")
            continue
        items, _ = merge_rare(scope.answers.items[names])
        with notes.estimating(scope.split, scope.group, f"information:{dimension}"):
            fit = grm(items.dropna(how="all"))
            found = fit.item_information(THETA)
            for name in names:
                for theta, value in zip(THETA, found[name]):
                    yield {"dimension": dimension, "item": name, "theta": theta, "information": value}
            for theta, value in zip(THETA, fit.information(THETA)):
                yield {"dimension": dimension, "item": "", "theta": theta, "information": value}
