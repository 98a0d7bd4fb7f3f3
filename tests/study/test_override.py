"""`--set key=value` replaces one setting and nothing else."""

import pytest

from relcap_models.errors import ConfigError
from relcap_models.study import read_study


def test_analyses_are_named_by_id_by_kind_and_by_number(study_folder):
    analyses = read_study(
        study_folder,
        overrides=[
            "analyses.safety.link=logit",
            "analyses.relations.family=gaussian",
            "analyses.1.loadings=equal",
        ],
    ).config.analyses
    assert analyses[0].family == "gaussian"
    assert (analyses[1].link, analyses[1].loadings) == ("logit", "equal")


def test_values_are_yaml_and_blocks_that_are_not_there_are_made(study_folder):
    config = read_study(
        study_folder, overrides=["inference.draws=50", "analyses.relations.covariates=[a, b]", "title='NO'"]
    ).config
    assert config.inference.draws == 50
    assert config.analyses[0].covariates == ("a", "b")
    assert config.title == "NO"


def test_nothing_but_the_setting_changes(study_folder):
    before = read_study(study_folder).config
    after = read_study(study_folder, overrides=["inference.draws=50"]).config
    assert after.model_copy(update={"inference": before.inference}) == before


@pytest.mark.parametrize(
    ("override", "nearest"),
    [
        ("inference.drawz=5", "draws"),
        ("analyses.relatons.family=gaussian", "relations"),
        ("analyses.relations.family=gausian", "gaussian"),
        ("infrence.draws=5", "inference"),
    ],
)
def test_a_wrong_override_names_itself_and_the_nearest_word(study_folder, override, nearest):
    with pytest.raises(ConfigError, match=f"'{nearest}'") as caught:
        read_study(study_folder, overrides=[override])
    assert all(problem.file == f"--set {override}" for problem in caught.value.problems)


@pytest.mark.parametrize("override", ["inference.draws", "=5", "inference..draws=5", "seed.x=1", "title=[a"])
def test_what_is_no_setting_is_refused(study_folder, override):
    with pytest.raises(ConfigError) as caught:
        read_study(study_folder, overrides=[override])
    assert caught.value.problems[0].file == f"--set {override}"


def test_an_override_can_put_a_broken_file_right(study_folder, study_text):
    (study_folder / "study.yaml").write_text(study_text + "inference: {engine: fast}\n", encoding="utf-8")
    assert read_study(study_folder, overrides=["inference.engine=nuts"]).config.inference.engine == "nuts"
