"""What must not matter does not: order of rows, direction of items, answers that are not there."""

import numpy as np
import pytest

from relcap_models.data import read_survey
from relcap_models.models import Relation, families
from relcap_models.models.density_blocks import UnitEffects

RELATION = Relation(instrument="scale")
RATINGS = [
    ("w1", f"{rater}{r}", rater, target)
    for rater, targets in {"p": "qrp", "q": "pq", "r": "sp", "s": "rq"}.items()
    for r in range(2)
    for target in targets
]


def with_responses(survey, responses, instruments=None):
    tables = {"responses": responses, "units": survey.units}
    return read_survey(tables, instruments=tuple((instruments or survey.instruments).values()))


def density_of(survey):
    """Without shifts towards the answers, so that x means the same for other answers."""
    density = RELATION.density(RELATION.frame(survey))
    for block in density.effects:
        if isinstance(block, UnitEffects):
            block.estimate[:] = 0.0
        else:
            block.means.score[:] = 0.0
            colleagues = getattr(block, "colleagues", None)
            if colleagues:
                colleagues.plain.score[:] = colleagues.informed.score[:] = 0.0
    return density


def value_at(survey, x):
    return density_of(survey)(x)[0]


@pytest.fixture
def survey(survey_of):
    return survey_of(RATINGS, missing=0)


@pytest.fixture
def x(survey):
    layout = RELATION.density(RELATION.frame(survey)).layout
    return layout.start(np.random.default_rng(1)) + np.random.default_rng(2).normal(0, 0.5, layout.size)


def test_the_order_of_rows_does_not_matter(survey, x):
    shuffled = survey.responses.sample(frac=1, random_state=1).reset_index(drop=True)
    assert value_at(with_responses(survey, shuffled), x) == value_at(survey, x)


def test_reversing_an_item_and_its_key_changes_nothing(survey, x):
    scale = survey.instruments["scale"]
    items = tuple(i.model_copy(update={"reversed": i.id == "a2"}) for i in scale.items)
    turned = survey.responses.copy()
    turned["value"] = turned["value"].where(turned["item"].astype(str) != "a2", 6 - turned["value"])
    reversed_key = {"scale": scale.model_copy(update={"items": items})}
    assert value_at(with_responses(survey, turned, reversed_key), x) == value_at(survey, x)
    assert value_at(with_responses(survey, turned), x) != value_at(survey, x)


def test_a_missing_item_takes_away_its_own_likelihood_and_no_more(survey, x):
    frame = RELATION.frame(survey)
    density = density_of(survey)
    full = density(x)[0]
    m = 7
    item = frame.item_of_response[m]
    eta = density._eta[frame.rating_of_response[m]]
    loading, thresholds = density.responses.item_parameters(density.values(x))
    start = frame.first_threshold[item]
    cuts = thresholds[start : start + 4]
    location = loading[item] * eta[frame.dimension_of_item[item]]
    lost = families.log_likelihood("probit", frame.answer[m], location, cuts)
    n = frame.rating_of_response[m]
    row = (
        (survey.responses["respondent_id"].astype(str) == frame.respondents[frame.respondent_of_rating[n]])
        & (survey.responses["target_unit"].astype(str) == frame.units[frame.target_of_rating[n]])
        & (survey.responses["item"].astype(str) == frame.items[item])
    )
    assert row.sum() == 1
    assert value_at(with_responses(survey, survey.responses[~row]), x) == pytest.approx(
        full - lost, rel=1e-12
    )


def test_names_of_units_do_not_matter(survey, survey_of, x):
    """Turning the order of units round moves effects about and leaves the density where it was."""
    new_name = dict(zip("pqrs", "zyxw"))
    renamed = survey.responses.copy()
    for column in ("rater_unit", "target_unit"):
        renamed[column] = renamed[column].astype(str).map(new_name)
    units = survey.units.assign(unit_id=survey.units["unit_id"].map(new_name)).sort_values("unit_id")
    tables = {"responses": renamed, "units": units.reset_index(drop=True)}
    other = read_survey(tables, instruments=tuple(survey.instruments.values()))
    old, new = RELATION.frame(survey), RELATION.frame(other)
    before, after = RELATION.density(old).layout, RELATION.density(new).layout
    moved = x.copy()
    theirs, ours = after.views(moved), before.views(x)

    def ratings(frame, rename):
        ends = (frame.rater_of_rating, frame.target_of_rating)
        names = [[rename.get(frame.units[u], frame.units[u]) for u in end] for end in ends]
        return list(zip(frame.respondent_of_rating, *names))

    theirs["unit_z"][:] = ours["unit_z"][::-1]
    place = {rating: n for n, rating in enumerate(ratings(old, new_name))}
    theirs["rating_z"][:] = ours["rating_z"][[place[rating] for rating in ratings(new, {})]]

    def rows(frame, rename):
        """Pairs in the order of `pair_sum_z`, and one-sided relations in that of `one_sided_z`."""
        named = [
            tuple(rename.get(frame.units[u], frame.units[u]) for u in ends)
            for ends in zip(frame.rater_of_relation, frame.target_of_relation)
        ]
        first = (frame.partner_of_relation >= 0) & (frame.rater_of_relation < frame.target_of_relation)
        return (
            [named[r] for r in np.flatnonzero(first)],
            [named[r] for r in np.flatnonzero(frame.partner_of_relation < 0)],
        )

    (old_pairs, old_alone), (new_pairs, new_alone) = rows(old, new_name), rows(new, {})
    for k, pair in enumerate(new_pairs):
        kept = pair in old_pairs
        j = old_pairs.index(pair if kept else pair[::-1])
        theirs["pair_sum_z"][k] = ours["pair_sum_z"][j]
        theirs["pair_difference_z"][k] = ours["pair_difference_z"][j] * (1 if kept else -1)
    for k, relation in enumerate(new_alone):
        theirs["one_sided_z"][k] = ours["one_sided_z"][old_alone.index(relation)]
    assert value_at(other, moved) == pytest.approx(value_at(survey, x), rel=1e-12)
    assert value_at(other, x) != pytest.approx(value_at(survey, x), rel=1e-6)
