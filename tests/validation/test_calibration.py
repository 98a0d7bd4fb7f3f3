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
    (tmp_path / "study.yaml").write_text(STUDY, encoding="utf-8")
    # Bands hold an analysis with .95, so that one seed in ten fails by chance. This one has been seen to pass
    # with 160 worlds of relations, too.
    found = calibrate_study(tmp_path, replicates=40, progress=False)
    assert found.failed == ()
    assert set(found.table["analysis"]) == {"relations", "climate"}
    assert (found.table["n"] == 40).all()
    assert {path.name for path in found.folder.glob("*.png")} == {"relations.png", "climate.png"}
    # Results on disk are what is judged: with the ranks of one number drawn together it is not calibrated.
    for path in (found.folder / "replicates").glob("relations-*.parquet"):
        table = pd.read_parquet(path)
        narrow = (table["quantity"] == "relation_scores") & (table["label"] == "mean")
        table.loc[narrow, "rank"] = 40 + table["rank"] // 5
        table.to_parquet(path)
    spoilt = calibrate_study(tmp_path, replicates=40, progress=False)
    assert len(spoilt.failed) == 1
    assert "relations: ranks of relation_scores[mean] are not uniform" in spoilt.failed[0]
    assert spoilt.notes == ("80 of 80 results were there from an earlier run.",)
