"""A model with its sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from relcap_models.psychometrics.structural.constraints import Freedom
from relcap_models.psychometrics.structural.implied_moments import Block, Moments, implied
from relcap_models.psychometrics.structural.sample import Sample
from relcap_models.psychometrics.structural.two_level_sample import TwoLevelSample


@dataclass(frozen=True)
class Model:
    """A model and its sample. Equal parameters share one free parameter.

    blocks : of each group; of two-level models within and between of the first group, then of the next, …
    """

    blocks: tuple[Block, ...]
    samples: tuple[Sample, ...] | tuple[TwoLevelSample, ...]
    freedom: Freedom

    @property
    def n(self) -> int:
        return sum(sample.n for sample in self.samples)

    @property
    def n_free(self) -> int:
        """Parameters before constraints."""
        return len(self.freedom.origin)

    @property
    def n_estimated(self) -> int:
        return self.freedom.basis.shape[1]

    def moments(self, theta: np.ndarray) -> list[Moments]:
        return [implied(block, theta) for block in self.blocks]

    def parts(self, theta: np.ndarray) -> Iterator[tuple[float, Block, Moments, Sample, np.ndarray]]:
        """(share of respondents, block, moments, sample, mean that the likelihood uses) by group.

        Of models with one level.
        """
        for block, sample in zip(self.blocks, self.samples):
            moments = implied(block, theta)
            yield sample.n / self.n, block, moments, sample, moments.mu if block.means else sample.mean
