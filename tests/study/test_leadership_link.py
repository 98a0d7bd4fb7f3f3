"""A study that links leadership with how other units experience working with a unit."""

import pandas as pd
import pytest

from relcap_models.errors import DataError
from relcap_models.inference import Fit
from relcap_models.models import LeadershipLink
from relcap_models.study import read_study, run_study
from relcap_models.study.links import with_raters, without_leaders
from relcap_models.study.material import gather

STUDY = """
name: linked
title: Leadership and collaboration
seed: 3
instruments: [relational_capacity, psychological_safety, relational_leadership]
waves: [{id: w1, date: 2025-03}, {id: w2, date: 2026-03}]
analyses:
  - {kind: leadership_link, covariates: [size]}
inference: {engine: fast, chains: 2, draws: 200}
report: {language: nb}
simulation:
  organisation: {n_units: 14, n_respondents: 150, n_districts: 2}
  nominations: {partners: 4}
  climate:
    paths: [{source: relational_leadership, to: target, coefficient: 0.5}]
"""
BEGINNING = "analysis method source adjusted level predictor outcome scale mean sd lower upper prob_positive"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("studies") / "linked"
    place.mkdir()
    (place / "study.yaml").write_text(STUDY, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def results(folder):
    return run_study(folder, progress=False)


@pytest.fixture(scope="module")
def link(results):
    return pd.read_csv(results.folder / "public" / "tables" / "leadership_link.csv")


def test_the_table_holds_three_methods_two_sources_both_levels_and_scales(link):
    assert list(link.columns[:13]) == BEGINNING.split()
    keys = ["method", "source", "adjusted", "level", "predictor", "outcome", "scale"]
    assert not link.duplicated(keys).any()
    different = link[link["source"] == "different"]
    assert set(different["method"]) == {"naive", "corrected", "joint"}
    for _, rows in different.groupby("method"):
        assert set(rows["adjusted"]) == {False, True}
        assert set(rows["level"]) == {"between", "within"}
        assert set(rows["scale"]) == {"latent", "points", "probability"}
        assert set(rows["predictor"]) == {"relational_leadership", "psychological_safety"}
    assert set(link.loc[link["source"] == "same", "adjusted"]) == {False}


def test_joint_figures_are_of_one_posterior(link):
    joint = link[link["method"] == "joint"]
    assert joint["mean"].between(joint["lower"], joint["upper"]).all()
    keys = ["source", "adjusted", "level", "predictor"]
    # A slope in latent units, in points and in shares is positive in the same draws.
    assert (joint.groupby(keys)["prob_positive"].nunique() == 1).all()
    assert joint["prior_share"].between(0, 1).all()


def test_units_with_few_leaders_stay_hidden(results):
    units = pd.read_csv(results.folder / "public" / "tables" / "leadership_units.csv")
    whole = pd.read_csv(results.folder / "restricted" / "tables" / "leadership_units.csv")
    leaders = pd.read_csv(results.folder / "restricted" / "data" / "units.csv").set_index("unit_id")[
        "n_leaders"
    ]
    few = units["unit"].map(leaders) < 3
    of_leaders = units["predictor"] == "relational_leadership"
    assert few.any()
    assert units.loc[few & of_leaders, "suppressed"].all()
    hidden = units[units["suppressed"]].drop(
        columns=["analysis", "unit", "predictor", "outcome", "suppressed"]
    )
    assert hidden.isna().all(axis=None)
    assert whole["predictor_mean"].notna().all()


def test_checks_of_the_two_versions_go_by_different_names(results):
    checks = pd.read_csv(results.folder / "public" / "tables" / "checks.csv")
    assert set(checks["analysis"]) == {"leadership_link (different)", "leadership_link (same)"}
    assert not checks.duplicated(["analysis", "check"]).any()


def test_sensitivity_names_each_check(results):
    table = pd.read_csv(results.folder / "public" / "tables" / "leadership_sensitivity.csv")
    found = set(zip(table["check"], table["detail"].fillna("")))
    asked = {("estimate", ""), ("robustness", ""), ("priors", "halved"), ("priors", "doubled")}
    assert (
        asked | {("unit_left_out", "lowest"), ("unit_left_out", "highest"), ("leaders_left_out", "")} <= found
    )
    between = table[(table["level"] == "between") & ~table["adjusted"]].set_index(["check", "detail"])["mean"]
    estimate = between.xs("estimate").iloc[0]
    assert between["unit_left_out", "lowest"] <= estimate <= between["unit_left_out", "highest"]


def test_a_kept_fit_of_a_link_is_read_again(results, folder):
    place = results.folder / "restricted" / "posteriors" / "leadership_link"
    assert {path.name for path in place.iterdir()} == {"different", "same"}
    kept = Fit.load(place / "different", gather(read_study(folder)).survey)
    assert isinstance(kept.model, LeadershipLink)
    assert kept.structure.roles == ("perceiver", "target", "relational_leadership", "psychological_safety")


def test_the_report_tells_of_the_link_in_its_language(results):
    text = results.report.read_text(encoding="utf-8")
    assert 'id="leadership-link-1"' in text
    assert list((results.folder / "public" / "figures").glob("leadership*.png"))


def test_links_by_both_engines_are_compared_effect_by_effect(tmp_path, capsys):
    """Of few draws: the sampler's own error, and the fast engine's, are half a posterior sd and more."""
    (tmp_path / "study.yaml").write_text(STUDY, encoding="utf-8")
    short = [f"inference.{key}" for key in ("engine=both", "draws=40", "tune=40")]
    found = run_study(tmp_path, out=tmp_path / "out", overrides=short)
    table = pd.read_csv(found.folder / "public" / "tables" / "effect_agreement.csv")
    link = pd.read_csv(found.folder / "public" / "tables" / "leadership_link.csv")
    joint = link[link["method"] == "joint"]
    assert set(table["analysis"]) == {"leadership_link (different)", "leadership_link (same)"}
    assert len(table) == len(joint)
    assert not table.duplicated(["analysis", "effect"]).any()
    assert table["difference"].abs().between(1e-9, 3.0).all()
    assert table["sd_ratio"].between(0.2, 5.0).all()
    kinds = pd.read_csv(found.folder / "public" / "tables" / "agreement.csv").groupby("analysis")["quantity"]
    assert kinds.agg(list).tolist() == [["effects", "parameters"]] * 2
    said = capsys.readouterr().err
    assert "leadership_link (same): the fast engine beside the sampler, effect by effect:" in said
    assert "between, relational_leadership, adjusted, points" in said
    assert "tables/effect_agreement.csv" in found.report.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("option", "column", "said"),
    [
        ("moderator: complexityy", "complexityy", "a number for every unit"),
        ("cascade: [top, bottom]", "layer", "no unit has one of the layer above"),
        ("results: [{outcome: quality}]", "outcome", "there is no outcome 'quality'"),
    ],
)
def test_what_the_tables_lack_is_said_before_anything_is_fitted(tmp_path, option, column, said):
    text = STUDY.replace("covariates: [size]", option)
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        run_study(tmp_path, out=tmp_path / "out", progress=False)
    problem = caught.value.problems[0]
    assert said in problem.message
    assert problem.column == column
    assert not (tmp_path / "out").exists()


def test_leaders_and_small_units_can_be_left_out(folder):
    survey = gather(read_study(folder)).survey
    leaders = set(survey.respondents.loc[survey.respondents["role"] == "leader", "respondent_id"])
    without = without_leaders(survey, "relational_leadership").responses
    theirs = without[without["respondent_id"].astype(str).isin(leaders)]
    assert not (theirs["instrument"] == "relational_leadership").any()
    assert (theirs["instrument"] == "psychological_safety").any()
    large = with_raters(survey, ("relational_leadership",), 8).responses
    heads = large.groupby(large["rater_unit"].astype(str))["respondent_id"].nunique()
    assert 0 < len(heads) < len(survey.units)
    assert set(large["target_unit"].astype(str)) <= set(heads.index)
    assert with_raters(survey, ("relational_leadership",), 1) is None
