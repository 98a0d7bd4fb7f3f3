"""Effects are actual minus counterfactual scores, averaged over the relations that were so exposed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from relcap_models.data import Survey
from relcap_models.estimands.programme_effect import programme_effect_tables
from relcap_models.estimands.programme_effect.counterfactuals import effects, rated_cells
from relcap_models.estimands.relation_scores import relation_scores
from relcap_models.inference.fit import Fit
from relcap_models.models import ProgrammeEffect
from relcap_models.models.programme_effect import cells_of
from tests.estimands.factory import case_fit, random_fit
from tests.models.conftest import PROGRAMME, build_case, make_survey, ring, who_rates

UNITS = [f"u{i}" for i in range(8)]
STARTS = {"u0": "w2", "u1": "w2", "u2": "w3", "u3": "w3"}
CI = {"ci_prob": 0.8, "goal": 0.1}


def fitted(model: ProgrammeEffect, starts: dict[str, str] = STARTS, n_draws: int = 4) -> tuple[Fit, Survey]:
    ratings = who_rates(UNITS, ring(UNITS, steps=(1, -1, 2)), respondents=2, waves=3)
    programmes = [{"unit_id": unit, "start_wave": wave} for unit, wave in starts.items()]
    survey = make_survey(ratings, programmes=programmes)
    return random_fit(model, survey, n_draws, 1), survey


def counterfactual_points(fit: Fit, keep: tuple[str, ...]) -> dict[tuple[int, int, int], np.ndarray]:
    """(rater, target, wave) → draws of the overall score with the columns of these variables alone."""
    exposed = fit.model.exposed(SURVEY[id(fit)])
    first = len(fit.frame.covariates) - len(exposed.columns)
    gone = [
        first + k
        for k, column in enumerate(exposed.columns)
        if column.role == "effect" and column.variable not in keep
    ]
    changed = fit.frame.covariates_of_relation.copy()
    changed[:, :, gone] = 0.0
    scores = relation_scores(replace(fit, frame=replace(fit.frame, covariates_of_relation=changed)))
    rater, target = (getattr(fit.frame, f"{end}_of_relation")[scores.relation] for end in ("rater", "target"))
    cells = zip(rater.tolist(), target.tolist(), scores.wave.tolist())
    return {cell: scores.scores.points[:, x, -1] for x, cell in enumerate(cells)}


SURVEY: dict[int, Survey] = {}


@pytest.fixture(scope="module")
def fit() -> Fit:
    found, survey = fitted(ProgrammeEffect(**PROGRAMME, dimensions="separate"))
    SURVEY[id(found)] = survey
    return found


@pytest.fixture(scope="module")
def contrasts(fit):
    return {c.estimand: c for c in effects(fit, fit.model.exposed(SURVEY[id(fit)]))}


@pytest.mark.parametrize("estimand", ["rater_end", "target_end", "both_ends"])
def test_an_effect_is_the_score_minus_that_without_the_programme(fit, contrasts, estimand):
    everything = counterfactual_points(fit, ("rater_end", "target_end", "interaction"))
    nothing = counterfactual_points(fit, ())
    found = contrasts[estimand]
    assert len(found.cells)
    for x, cell in enumerate(found.cells[["rater", "target", "wave"]].itertuples(index=False, name=None)):
        np.testing.assert_allclose(found.points[:, x, -1], everything[cell] - nothing[cell], atol=1e-10)


def test_the_interaction_is_what_both_ends_add_to_either_alone(fit, contrasts):
    parts = [
        (+1, ("rater_end", "target_end", "interaction")),
        (-1, ("rater_end",)),
        (-1, ("target_end",)),
        (+1, ()),
    ]
    scores = [(sign, counterfactual_points(fit, keep)) for sign, keep in parts]
    found = contrasts["interaction"]
    for x, cell in enumerate(found.cells[["rater", "target", "wave"]].itertuples(index=False, name=None)):
        expected = sum(sign * points[cell] for sign, points in scores)
        np.testing.assert_allclose(found.points[:, x, -1], expected, atol=1e-10)


def test_every_exposed_relation_is_in_one_contrast_once(fit, contrasts):
    cells = rated_cells(fit.model.exposed(SURVEY[id(fit)]))
    n = sum(len(contrasts[kind].cells) for kind in ("rater_end", "target_end", "both_ends"))
    assert n == (cells["kind"] != "").sum()


def test_aggregates_average_relations_with_equal_weight(fit, contrasts):
    table = programme_effect_tables(fit, SURVEY[id(fit)], **CI)["programme_effects"]
    table = table[(table["scale"] == "points") & (table["dimension"] == "overall")]
    found = contrasts["target_end"]
    draws = pd.DataFrame(found.points[:, :, -1].mean(axis=0)[:, None], columns=["mean"]).assign(
        group=found.cells["group"], wave=found.cells["wave"], event=found.cells["event"]
    )
    of = table[table["estimand"] == "target_end"].set_index(["aggregate", "group", "time"])["mean"]
    assert of["simple", "", ""] == pytest.approx(draws["mean"].mean())
    assert of["group", "w2", ""] == pytest.approx(draws["mean"][draws["group"] == 1].mean())
    assert of["calendar", "", "w3"] == pytest.approx(draws["mean"][draws["wave"] == 2].mean())
    assert of["dynamic", "", "1"] == pytest.approx(draws["mean"][draws["event"] == 1].mean())
    cell = draws[(draws["group"] == 1) & (draws["wave"] == 2)]
    assert of["cell", "w2", "w3"] == pytest.approx(cell["mean"].mean())
    assert table["n_relations"].gt(0).all()


def test_rows_are_told_apart_by_their_labels(fit):
    table = programme_effect_tables(fit, SURVEY[id(fit)], **CI)["programme_effects"]
    labels = ["estimand", "aggregate", "group", "time", "scale", "component", "dimension"]
    assert not table.duplicated(labels).any()
    assert set(table["assignment"]) == {"observational"}
    begins = "analysis estimand aggregate group time scale mean sd lower upper prob_positive prob_goal"
    assert list(table.columns[:12]) == begins.split()
    assert table.loc[table["scale"] != "points", "prob_goal"].isna().all()


def test_before_the_start_stands_the_difference_and_not_an_effect():
    fit, survey = fitted(ProgrammeEffect(**PROGRAMME, estimate="event_study"))
    exposed = fit.model.exposed(survey)
    table = programme_effect_tables(fit, survey, **CI)["programme_effects"]
    before = table[(table["aggregate"] == "dynamic") & table["time"].str.startswith("-")]
    # Those that start in w3 had a wave before the last one before it; those of w2 had none.
    assert set(before["time"]) == {"-2"}
    lead = next(k for k, c in enumerate(exposed.columns) if c.role == "lead" and c.variable == "target_end")
    column = fit.draws("beta")[:, len(fit.frame.covariates) - len(exposed.columns) + lead, 0]
    latent = before[(before["estimand"] == "target_end") & (before["scale"] == "latent")]
    assert latent["mean"].item() == pytest.approx(column.mean())


def test_a_single_group_has_a_change_and_no_effect():
    fit, survey = fitted(ProgrammeEffect(**PROGRAMME), dict.fromkeys(UNITS, "w2"))
    table = programme_effect_tables(fit, survey, **CI)["programme_effects"]
    assert set(table["estimand"]) == {"change"}
    assert set(table["design"]) == {"single_group"}
    scores = relation_scores(fit)
    points = {
        (int(r), int(w)): scores.scores.points[:, x, -1].mean()
        for x, (r, w) in enumerate(zip(scores.relation, scores.wave))
    }
    relations = {r for r, _ in points}
    expected = np.mean([points[r, w] - points[r, 0] for r in relations for w in (1, 2)])
    simple = table[(table["aggregate"] == "simple") & (table["scale"] == "points")]
    assert simple["mean"].item() == pytest.approx(expected)


def test_a_component_is_compared_with_the_programme_without_it():
    rows = [
        {"unit_id": "u0", "start_wave": "w2", "component": "course"},
        {"unit_id": "u0", "start_wave": "w3", "component": "coaching"},
        {"unit_id": "u1", "start_wave": "w2", "component": "coaching"},
    ]
    survey = make_survey(who_rates(UNITS, ring(UNITS), waves=3), programmes=rows)
    fit = random_fit(ProgrammeEffect(**PROGRAMME, exposure="component"), survey, 4, 1)
    exposed = fit.model.exposed(survey)
    found = [c for c in effects(fit, exposed) if c.estimand == "target_end"]
    assert [c.component for c in found] == ["", "course", "coaching"]
    main = {
        exposed.exposure.components[c.component]: k
        for k, c in enumerate(exposed.columns)
        if c.role == "effect" and c.variable == "target_end" and c.component >= 0 and c.wave is None
    }
    first = len(fit.frame.covariates) - len(exposed.columns)
    course = fit.draws("beta")[:, first + main["course"], 0]
    alone = found[1]
    in_w3 = (alone.cells["wave"] == 2).to_numpy()
    # In w3 u0 has both, so without the course it is still under the programme: its own column is left.
    np.testing.assert_allclose(alone.latent[:, in_w3, 0], np.repeat(course[:, None], in_w3.sum(), axis=1))


def test_instruments_about_the_own_unit_have_an_effect_of_both_ends():
    fit, survey = case_fit("programme, own unit, dose")
    table = programme_effect_tables(fit, survey, **CI)["programme_effects"]
    assert set(table["estimand"]) == {"both_ends"}
    exposed = fit.model.exposed(survey)
    main = next(k for k, c in enumerate(exposed.columns) if c.role == "effect")
    beta = fit.draws("beta")[:, len(fit.frame.covariates) - len(exposed.columns) + main]
    cells = cells_of(exposed.exposure, exposed.frame).drop_duplicates(["rater", "wave"])
    doses = {"u0": 0.5, "u1": 1.5, "u2": 1.0}
    there = [doses[exposed.exposure.units[r]] for r in cells["rater"][cells["kind"] != ""]]
    latent = table[(table["aggregate"] == "simple") & (table["scale"] == "latent")]
    np.testing.assert_allclose(latent["mean"], (beta * np.mean(there)).mean(axis=0))


def test_spillover_is_an_effect_on_relations_between_the_untreated():
    fit, survey = case_fit("programme, three waves, two starts, spillover")
    found = {c.estimand: c for c in effects(fit, fit.model.exposed(survey))}
    cells = found["spillover"].cells
    assert (cells["kind"] == "spillover").all()
    assert len(cells)


def test_effects_by_type_of_relation_average_to_the_whole():
    rows = [{"unit_id": unit, "start_wave": wave} for unit, wave in STARTS.items()]
    layers = {unit: "leaders" if i % 2 else "employees" for i, unit in enumerate(UNITS)}
    survey = make_survey(
        who_rates(UNITS, ring(UNITS, steps=(1, -1, 2)), waves=3),
        programmes=rows,
        attributes={"layer": layers},
    )
    fit = random_fit(ProgrammeEffect(**PROGRAMME), survey, 4, 1)
    tables = programme_effect_tables(fit, survey, **CI)
    types = tables["programme_relation_types"].query("estimand == 'target_end' and scale == 'latent'")
    assert set(types["target_type"]) == {"leaders", "employees"}
    cells = rated_cells(fit.model.exposed(survey)).query("kind == 'target_end'")
    named = np.array([layers[unit] for unit in fit.frame.units])
    n = cells.groupby([named[cells["rater"]], named[cells["target"]]]).size()
    weights = [n[pair] for pair in zip(types["rater_type"], types["target_type"])]
    whole = tables["programme_effects"].query(
        "estimand == 'target_end' and scale == 'latent' and aggregate == 'simple'"
    )
    assert np.average(types["mean"], weights=weights) == pytest.approx(whole["mean"].item())
    assert "programme_relation_types" not in programme_effect_tables(*fitted(fit.model), **CI)


def test_a_single_group_that_rates_itself_has_a_change_too():
    model, survey = build_case("programme, own unit, dose")
    everybody = pd.DataFrame(
        {"unit_id": survey.units["unit_id"], "programme": "P", "start_wave": "w2", "dose": 1.0}
    )
    survey = replace(survey, programmes=everybody)
    table = programme_effect_tables(random_fit(model, survey, 4, 1), survey, **CI)["programme_effects"]
    assert set(table["estimand"]) == {"change"}
    assert table["mean"].notna().all()
