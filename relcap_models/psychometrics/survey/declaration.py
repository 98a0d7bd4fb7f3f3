"""`psychometrics`: whether the instruments measure what they are meant to."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from relcap_models.schema.instrument import Declaration


class Psychometrics(Declaration):
    """Items, factors, reliability per level, and invariance over waves, languages and layers.

    Kind `psychometrics`.
    """

    kind: Literal["psychometrics"] = "psychometrics"
    id: str = "psychometrics"
    instruments: tuple[str, ...] = Field(
        (), description="ids of the instruments to examine; left out: every instrument of the study"
    )
