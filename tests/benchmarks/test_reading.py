"""How long the tables of the full demonstration take to be checked."""

import pytest

from relcap_models.data import read_survey
from relcap_models.study import read_study
from relcap_models.study.material import simulate_study

pytestmark = pytest.mark.bench


def test_checking_the_full_demonstration(benchmark, repository, tmp_path):
    study = read_study(repository / "studies" / "municipality")
    simulated = simulate_study(study)
    paths = {}
    for name, table in simulated.tables.items():
        paths[name] = tmp_path / f"{name}.csv"
        table.to_csv(paths[name], index=False)
    survey = benchmark.pedantic(
        lambda: read_survey(paths, instruments=tuple(study.instruments.values()), waves=study.waves), rounds=3
    )
    assert len(survey.responses) > 140_000
