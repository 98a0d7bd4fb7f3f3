"""The instruments of a survey examined: analysis kind `psychometrics`.

    answers             the ratings of one instrument as a table of items, and the groups they fall into
    scopes              of whom figures are: everybody, a wave, a language, a layer
    item_statistics     distributions, and each item beside the rest of its dimension
    measurement         the factor model
    reliability_levels  of ratings and of what they are about, with intervals
    levels              how dimensions go together within and between what is rated
    equality            whether the instrument measures the same over waves, languages and layers
    mean_impact         how far means of groups change where unequal items are let go
    item_bias           items that a language or layer answers in its own way (DIF)
    information         where along the trait the items tell most
    examination         all of it, as tables

Names are looked up when they are used: a study file is read without any of this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relcap_models.lazy import lookup

if TYPE_CHECKING:
    from relcap_models.psychometrics.survey.declaration import Psychometrics
    from relcap_models.psychometrics.survey.examination import examine

__all__ = ["Psychometrics", "examine"]

__getattr__ = lookup(__name__, {"Psychometrics": "declaration", "examine": "examination"})
