"""`relcap calibrate` from the command line: what is not calibrated is named, and the exit code says so."""

import pandas as pd

STUDY = """
name: tiny
title: A design to calibrate on
seed: 5
instruments: [relational_capacity]
waves: [{id: w1}]
analyses:
  - {kind: relations, instrument: relational_capacity}
inference: {chains: 2, draws: 100}
simulation:
  organisation: {n_respondents: 30, n_units: 6, n_districts: 1}
  nominations: {partners: 3}
"""


def test_ranks_that_are_not_uniform_end_it_with_one(relcap, tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY, encoding="utf-8")
    command = ("calibrate", tmp_path, "--engine", "fast", "--replicates", "10", "--workers", "1")
    code, out, err = relcap(*command)
    assert code == ("NOT CALIBRATED" in err)
    assert "quantities are calibrated" in out
    # What is on disk is what is judged: posteriors that are too narrow leave every truth beside all draws.
    (folder,) = {path.parent for path in tmp_path.rglob("relations-*.parquet")}
    for path in folder.glob("relations-*.parquet"):
        table = pd.read_parquet(path)
        table.loc[table["quantity"] == "relation_scores", "rank"] = 0
        table.to_parquet(path)
    code, out, err = relcap(*command)
    assert code == 1
    assert "NOT CALIBRATED: relations: ranks of relation_scores[" in err
