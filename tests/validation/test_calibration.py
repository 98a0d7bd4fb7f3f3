"""The whole way of `relcap calibrate`: worlds from the priors, fitted by the sampler, ranked and judged."""

import pandas as pd
import pytest

from relcap_models.study import calibrate_study

pytestmark = pytest.mark.validation

STUDY = """
name: tiny
title: A design to calibrate on
seed: 5
instruments: [relational_capacity, psychological_safety]
waves: [{id: w1}]
analyses:
  - {kind: relations, instrument: relational_capacity}
  - {kind: climate, instrument: psychological_safety}
inference: {chains: 2, draws: 300, tune: 300, target_accept: 0.9}
simulation:
  organisation: {n_respondents: 30, n_units: 6, n_districts: 1}
  nominations: {partners: 3}
"""


def test_the_sampler_is_calibrated_and_one_told_otherwise_is_not(tmp_path):
    # Bands hold an analysis with .95, so that one set of worlds in ten has a quantity outside by chance; but
    # hardly the same quantity in two sets.
    outside = []
    for seed in (5, 6):
        place = tmp_path / str(seed)
        place.mkdir()
        (place / "study.yaml").write_text(STUDY.replace("seed: 5", f"seed: {seed}"), encoding="utf-8")
        found = calibrate_study(place, replicates=40, progress=False)
        assert set(found.table["analysis"]) == {"relations", "climate"}
        assert (found.table["n"] == 40).all()
        failed = found.table[~found.table["passed"]]
        outside.append(set(failed[["analysis", "quantity", "label"]].itertuples(index=False, name=None)))
        assert len(found.failed) == len(failed) <= 2
    assert not outside[0] & outside[1]
    assert {path.name for path in found.folder.glob("*.png")} == {"relations.png", "climate.png"}
    # Results on disk are what is judged: with the ranks of one number drawn together it is not calibrated.
    for path in (found.folder / "replicates").glob("relations-*.parquet"):
        table = pd.read_parquet(path)
        narrow = (table["quantity"] == "relation_scores") & (table["label"] == "mean")
        table.loc[narrow, "rank"] = 40 + table["rank"] // 5
        table.to_parquet(path)
    spoilt = calibrate_study(place, replicates=40, progress=False)
    new = set(spoilt.failed) - set(found.failed)
    assert any("relations: ranks of relation_scores[mean] are not uniform" in line for line in new)
    assert spoilt.notes == ("80 of 80 results were there from an earlier run.",)
