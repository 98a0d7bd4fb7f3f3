"""Clusters: respondents whose answers depend on one another, such as colleagues, or one person's waves.

What respondents contribute to the error of estimates is summed within clusters, and only clusters count as
independent. A cluster may have members in several groups: then the groups' estimates depend on each other.

Each group's sums are multiplied by √(G / (G − 1)), with G its number of clusters, as lavaan does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.linalg import block_diag

from relcap_models.errors import DataError
from relcap_models.psychometrics.structural.sample import Sample

FEW = 20


def is_clustered(samples: Sequence[Sample]) -> bool:
    """Whether the respondents belong to clusters."""
    return samples[0].cluster is not None


def cluster_sums(parts: Sequence[np.ndarray], samples: Sequence[Sample]) -> list[np.ndarray]:
    """For each group (independent unit, column): its contributions, summed within clusters if there are any.

    parts : for each group (respondent, column). With clusters, rows of all groups are the same clusters, and
    zero for those without a member in the group.
    """
    if not is_clustered(samples):
        return list(parts)
    n_clusters = 1 + max(int(sample.cluster.max()) for sample in samples)
    found = []
    for part, sample in zip(parts, samples):
        sums = np.zeros((n_clusters, part.shape[1]))
        np.add.at(sums, sample.cluster, part)
        present = _n_clusters(sample)
        found.append(sums * np.sqrt(present / (present - 1)))
    return found


def shared_products(parts: Sequence[np.ndarray], samples: Sequence[Sample]) -> np.ndarray:
    """(column, column) cross-products of contributions to the same columns in all groups."""
    sums = cluster_sums(parts, samples)
    if is_clustered(samples):
        sums = [sum(sums)]
    return sum(one.T @ one for one in sums)


def stacked_products(parts: Sequence[np.ndarray], samples: Sequence[Sample]) -> np.ndarray:
    """(column, column) cross-products of contributions to each group's own columns, group after group."""
    sums = cluster_sums(parts, samples)
    if not is_clustered(samples):
        return block_diag(*(one.T @ one for one in sums))
    whole = np.hstack(sums)
    return whole.T @ whole


def check_clusters(samples: Sequence[Sample]) -> None:
    """Raise a DataError if all respondents of a group belong to one cluster."""
    for sample in samples:
        if _n_clusters(sample) < 2:
            raise DataError(
                f"All respondents{_where(sample)} belong to one cluster, so that nothing is known of how "
                "clusters differ: leave `cluster` out" + (", or that group" if sample.group else "")
            )


def cluster_notes(samples: Sequence[Sample], n_statistics: int) -> tuple[str, ...]:
    """What a reader should know of few clusters."""
    if not is_clustered(samples):
        return ()
    notes = []
    for sample in samples:
        number, where = _n_clusters(sample), _where(sample)
        if number < FEW:
            notes.append(
                f"There are {number} clusters{where}: with fewer than {FEW}, standard errors are too small "
                "and tests reject too often, since the spread of clusters is estimated from so few"
            )
    total = len(np.unique(np.concatenate([sample.cluster for sample in samples])))
    if total <= n_statistics:
        notes.append(
            f"There are {total} clusters for {n_statistics} sample statistics, whose sampling covariance "
            "matrix is then singular: the scaled test is rough"
        )
    return tuple(notes)


def same_clusters(samples: Sequence[Sample]) -> bytes | None:
    """A key that two samples of the same respondents share if their clusters are the same."""
    if not is_clustered(samples):
        return None
    return pd.factorize(np.concatenate([sample.cluster for sample in samples]))[0].tobytes()


def _where(sample: Sample) -> str:
    return f" in group '{sample.group}'" if sample.group else ""


def _n_clusters(sample: Sample) -> int:
    return len(np.unique(sample.cluster))
