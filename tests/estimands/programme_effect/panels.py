"""Relations in waves whose means a test writes down itself, and small surveys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from relcap_models.data import Survey, Wave, read_survey
from relcap_models.estimands.programme_effect.comparisons.relation_waves import told
from relcap_models.estimands.programme_effect.threats.case import Case
from relcap_models.models.exposure import Exposure
from relcap_models.schema import load_instrument
from relcap_models.simulate import Simulation, simulate

Y = "overall"


def exposure(starts: Sequence[int], n_waves: int, clusters: Sequence[int] | None = None) -> Exposure:
    """Units with these starts (`n_waves` for never); each is a cluster where none are given."""
    start = np.array(starts)
    cluster = np.arange(len(start)) if clusters is None else np.array(clusters)
    return Exposure(
        waves=tuple(f"w{w + 1}" for w in range(n_waves)),
        units=tuple(f"u{u}" for u in range(len(start))),
        components=("",),
        start=start,
        dose=(np.arange(n_waves) >= start[:, None])[None].astype(float),
        near=np.zeros((len(start), n_waves), dtype=bool),
        spillover=None,
        cluster_of_unit=cluster,
        clusters=tuple(f"c{c}" for c in range(cluster.max() + 1)),
        assigned="unit" if clusters is None else "district",
    )


def rows_of(
    exposed: Exposure,
    mean: Callable[[pd.DataFrame], Any],
    relations: Sequence[tuple[int, int]] | None = None,
    *,
    single_group: bool = False,
) -> pd.DataFrame:
    """Every relation between the units (or these) in every wave, with a mean that depends on its columns."""
    pairs = np.array(list(permutations(range(len(exposed.units)), 2)) if relations is None else relations)
    n_waves = len(exposed.waves)
    rater, target = (np.repeat(pairs[:, end], n_waves) for end in (0, 1))
    cells = exposed.cells(rater, target, np.tile(np.arange(n_waves), len(pairs)))
    cells["relation"] = rater * len(exposed.units) + target
    cells["cluster_rater"] = exposed.cluster_of_unit[rater]
    cells["cluster_target"] = exposed.cluster_of_unit[target]
    rows = told(cells, exposed, single_group=single_group)
    return rows.assign(**{Y: mean(rows)})


def noise(rows: pd.DataFrame, seed: int, size: float = 0.3) -> np.ndarray:
    return size * np.random.default_rng(seed).standard_normal(len(rows))


def case_with(rows: pd.DataFrame, exposed: Exposure, *, design: str = "staggered", **model: Any) -> Case:
    """A case without a survey behind it."""
    options = {"chosen": None, "placebo": (), "spillover": None, "id": "programme_effect", **model}
    behind = SimpleNamespace(design=design, exposure=exposed, own=False)
    return Case(SimpleNamespace(**options), None, behind, rows, Y, ci_prob=0.9, seed=1)


def simulated(
    programme: Mapping[str, Any],
    *,
    n_units: int,
    n_respondents: int,
    n_waves: int,
    instruments: Sequence[str] = ("relational_capacity",),
    seed: int = 1,
    **options: Any,
) -> Survey:
    """A survey with the programme `P`."""
    declared = {
        "organisation": {
            "n_respondents": n_respondents,
            "n_units": n_units,
            "n_districts": 1,
            "size_sd": 0.0,
        },
        "nominations": {"partners": 4},
        "ratings": {"max_targets": 4},
        "programmes": [{"id": "P", "starts": ["w2"], **programme}],
        **options,
    }
    known = {name: load_instrument(name) for name in instruments}
    waves = tuple(Wave(f"w{w + 1}") for w in range(n_waves))
    made = simulate(Simulation.model_validate(declared), instruments=known, waves=waves, seed=seed)
    return read_survey(made.tables, instruments=known, waves=waves)
