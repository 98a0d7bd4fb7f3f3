"""An attacker who holds the public tables finds no suppressed figure.

The attacker is written from the meaning of the columns alone and shares no code with the package's disclosure
control. They know every number of answers (more than any reader does), write one linear equation for each
figure in the public tables, and ask of each suppressed figure whether some combination of the equations gives
it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from relcap_models.report.disclosure import Disclosure, apply_disclosure, complementary

SHAPES = {
    "one small unit in a row and a column": {"sizes": [3, 9, 10, 12, 11], "p_target": 1.0, "p_respond": 1.0},
    "units of one respondent": {"sizes": [1, 1, 8, 9, 14, 10], "p_target": 0.9},
    "everybody answers at the top": {"sizes": [5, 6, 9, 12, 8], "top": 0.95},
    "two waves with leavers": {"sizes": [5, 6, 8, 9, 12], "waves": 2, "stay": 0.7, "p_respond": 1.0},
    "sparse": {"sizes": [4, 6, 9, 13, 17, 8], "p_target": 0.5, "p_respond": 0.7},
    "three waves, items skipped": {"sizes": [4, 7, 9, 12], "waves": 3, "stay": 0.9, "p_item": 0.8},
}


class Attacker:
    """Linear equations over unknown base cells (wave, rater unit, target unit, item).

    weights : what one base cell weighs in a mean: its number of answers for naive means, 1 for posterior
    means.
    """

    def __init__(self, world, public: dict[str, pd.DataFrame], *, posterior: bool) -> None:
        self.public, self.posterior = public, posterior
        self.cells = {cell: number for number, cell in enumerate(world.theta.index)}
        self.waves, self.raters, self.targets, self.items = (
            world.theta.index.get_level_values(level).to_numpy() for level in range(4)
        )
        dimension_of = {item.id: item.dimension for item in world.scale.items}
        self.dimensions = np.array([dimension_of[item] for item in self.items])
        counts = world.answers.groupby(["wave", "rater_unit", "target_unit", "item"]).size()
        answers = counts.reindex(world.theta.index).fillna(0).to_numpy(float)
        self.weights = np.ones(len(answers)) if posterior else answers
        self.answers = answers
        self.own = self.raters == self.targets
        self.about_targets = world.scale.about_targets

    def mean_of(self, keep: np.ndarray, dimension: str) -> np.ndarray:
        keep = keep & ((self.dimensions == dimension) | (dimension == "overall"))
        weight = np.where(keep, self.weights, 0.0)
        return weight / weight.sum() if weight.sum() else weight

    def relation(self, wave, rater, target, dimension):
        return self.mean_of(
            (self.waves == wave) & (self.raters == rater) & (self.targets == target), dimension
        )

    def unit(self, wave, unit, role, dimension):
        here = self.waves == wave
        if role in ("within_unit", "own_staff"):
            return self.mean_of(here & self.own & (self.raters == unit), dimension)
        ends = self.raters if role == "as_rater" else self.targets
        return self.mean_of(here & ~self.own & (ends == unit), dimension)

    def rows(self):
        """(table, row, equation) for every row of a table of means, published or not."""
        for name, table in self.public.items():
            for row in table.to_dict("records"):
                equation = self.equation(name, row)
                if equation is not None:
                    yield name, row, equation

    def equation(self, name: str, row: dict) -> np.ndarray | None:
        if name == "relation_scores":
            return self.relation(row["wave"], row["rater_unit"], row["target_unit"], row["dimension"])
        if name == "unit_scores":
            return self.unit(row["wave"], row["unit"], row["role"], row["dimension"])
        if name == "item_profiles":
            keep = (self.waves == row["wave"]) & (self.raters == row["rater_unit"])
            return self.mean_of(
                keep & (self.targets == row["target_unit"]) & (self.items == row["item"]), "overall"
            )
        if name == "perception_gaps":
            a, b = row["unit_a"], row["unit_b"]
            there, back = (self.relation(row["wave"], *ends, row["dimension"]) for ends in ((a, b), (b, a)))
            return self.difference(there, back)
        if name == "changes":
            before, after = (self.side(row, row[wave]) for wave in ("wave_from", "wave_to"))
            return self.difference(after, before)
        if name == "item_distributions" and not self.posterior:
            # the mean over the whole organisation and all waves, from the categories' counts
            return np.where(self.items == row["item"], self.answers, 0.0)
        return None

    @staticmethod
    def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Nothing where a side has no answers: there is no such figure."""
        return one - other if one.any() and other.any() else np.zeros_like(one)

    def side(self, row: dict, wave: str) -> np.ndarray:
        if row["level"] == "relation":
            return self.relation(wave, row["rater_unit"], row["target_unit"], row["dimension"])
        if row["level"] == "unit":
            unit = row["rater_unit"] if isinstance(row["rater_unit"], str) else row["target_unit"]
            return self.unit(wave, unit, row["role"], row["dimension"])
        return self.mean_of((self.waves == wave) & (self.own != self.about_targets), row["dimension"])

    def finds(self, figure: str | None = None) -> list[tuple[str, dict]]:
        """The suppressed rows whose figure is a combination of published ones."""
        published, wanted = [], []
        for name, row, equation in self.rows():
            if name == "item_distributions":
                if not row["suppressed"]:
                    published.append(equation)
                continue
            if figure is None:
                hidden = row["suppressed"]
            elif figure in row:
                hidden = row["suppressed"] or pd.isna(row[figure])
            else:
                continue
            if not hidden:
                published.append(equation)
            elif equation.any():
                wanted.append((name, row, equation))
        if not wanted or not published:
            return []
        system = np.array(published)
        _, sizes, directions = np.linalg.svd(system, full_matrices=False)
        basis = directions[sizes > 1e-10 * sizes[0]]
        found = []
        for name, row, equation in wanted:
            rest = equation - (equation @ basis.T) @ basis
            if np.linalg.norm(rest) < 1e-7 * np.linalg.norm(equation):
                found.append((name, row))
        return found


def found_in_means(world, public) -> list[tuple[str, dict]]:
    return [
        hit for posterior in (False, True) for hit in Attacker(world, public, posterior=posterior).finds()
    ]


def found_in_shares(world, public) -> list[tuple[str, dict]]:
    """Shares of favourable answers: the same equations, published in fewer rows."""
    return Attacker(world, public, posterior=False).finds("naive_favourable")


def end(solution, sign: float) -> float:
    """The end of an interval from its linear programme; unbounded ends are infinite."""
    assert solution.status in (0, 3, 4), solution.message
    return sign * (solution.fun if solution.status == 0 else -np.inf)


def found_in_counts(world, public, *, truth: dict[str, pd.DataFrame]) -> list[tuple]:
    """Hidden numbers of respondents below the threshold that margins and bounds leave one value.

    Larger ones are no secret: the attacks on means and shares take every number as known.
    A relation's respondents add up to the ratings that its rater unit gave, and to those its target got; each
    hidden one is at least 1 and at most the respondents of its unit.
    """
    found = []
    relations, units = public["relation_scores"], public["unit_scores"]
    for (wave, dimension), table in relations.groupby(["wave", "dimension"]):
        table = table.reset_index(drop=True)
        true = truth["relation_scores"].set_index(["wave", "rater_unit", "target_unit", "dimension"])[
            "n_respondents"
        ]
        true = np.array(
            [true[wave, r, t, dimension] for r, t in zip(table["rater_unit"], table["target_unit"])]
        )
        hidden = table["suppressed"].to_numpy(bool)
        if not hidden.any():
            continue
        upper = np.full(len(table), np.inf)
        matrix = list(np.eye(len(table))[~hidden])
        totals = true[~hidden].tolist()
        here = units[(units["wave"] == wave) & (units["dimension"] == dimension) & ~units["suppressed"]]
        for unit, role, n, ratings in zip(
            here["unit"], here["role"], here["n_respondents"], here["n_ratings"]
        ):
            if role in ("as_rater", "seen_by_others"):
                inside = (table["rater_unit" if role == "as_rater" else "target_unit"] == unit).to_numpy()
                matrix.append(inside.astype(float))
                totals.append(float(ratings))
                assert true[inside].sum() == ratings, "the attacker's reading of the counts is wrong"
                if role == "as_rater":
                    upper[inside] = np.minimum(upper[inside], float(n))
        equations = np.array(matrix).reshape(-1, len(table))
        bounds = np.column_stack([np.minimum(1.0, true), upper])
        for position in np.flatnonzero(hidden & (true < Disclosure().min_respondents_mean)):
            goal = np.eye(len(table))[position]
            least, most = (
                end(linprog(sign * goal, A_eq=equations, b_eq=totals, bounds=bounds), sign)
                for sign in (1.0, -1.0)
            )
            if most - least < 1 - 1e-6:
                found.append((wave, dimension, table["rater_unit"][position], table["target_unit"][position]))
    return found


def found_nearly(world, public) -> list[tuple]:
    """Items of a relation that stay hidden for themselves, and that bounds leave less than half a point.

    Answers lie on the scale, and published means of any row are sums of them.
    """
    attacker = Attacker(world, public, posterior=False)
    published = [
        (equation > 0, row["naive_mean"])
        for name, row, equation in attacker.rows()
        if name in ("relation_scores", "unit_scores", "item_profiles") and not row["suppressed"]
    ]
    matrix = np.array([inside for inside, _ in published], dtype=float)
    totals = np.array([mean for _, mean in published]) * (matrix @ attacker.answers)
    bounds = np.column_stack([attacker.answers, 5 * attacker.answers])
    by_cell = dict(list(world.answers.groupby(["wave", "rater_unit", "target_unit", "item"])["score"]))
    found = []
    for row in public["item_profiles"].query("suppressed").to_dict("records"):
        cell = (row["wave"], row["rater_unit"], row["target_unit"], row["item"])
        scores = by_cell.get(cell, [])
        if len(scores) == 0 or (len(scores) >= 5 and len(set(scores)) > 1):
            continue
        goal = np.zeros(len(attacker.answers))
        goal[attacker.cells[cell]] = 1.0
        least, most = (
            end(linprog(sign * goal, A_eq=matrix, b_eq=totals, bounds=bounds), sign) for sign in (1.0, -1.0)
        )
        if most - least < 0.5 * len(scores) - 1e-6:
            found.append((*cell, least, most, len(scores)))
    return found


def organisation(build, shape: str, seed: int):
    dimensions = ([("o", 3), ("b", 3)], [("o", 2), ("b", 1)], [("joint", 3)])[seed % 3]
    return build.random(seed, build.instrument(*dimensions), **SHAPES[shape])


@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.recovery) for s in range(1, 6))])
@pytest.mark.parametrize("shape", SHAPES)
def test_attacker_determines_no_suppressed_mean_share_or_count(build, shape, seed):
    world = organisation(build, shape, seed)
    public = apply_disclosure(world.tables, world.survey, Disclosure())
    assert public["relation_scores"]["suppressed"].any(), "this organisation does not test anything"
    assert found_in_means(world, public) == []
    assert found_in_shares(world, public) == []
    assert found_in_counts(world, public, truth=world.tables) == []


@pytest.mark.parametrize(
    "shape", ["one small unit in a row and a column", pytest.param("sparse", marks=pytest.mark.recovery)]
)
def test_attacker_comes_no_closer_than_half_a_point_to_a_small_group(build, shape):
    scale = build.instrument(("o", 3), ("b", 3))
    world = build.random(7, scale, **{**SHAPES[shape], "top": 0.8})
    public = apply_disclosure(world.tables, world.survey, Disclosure())
    assert public["item_profiles"]["suppressed"].any()
    assert not public["item_profiles"]["suppressed"].all()
    assert found_nearly(world, public) == []


@pytest.mark.parametrize(
    ("spoilt", "n_items", "most_hidden"),
    [
        ("nothing", 2, 0.0),
        ("one relation", 2, 0.05),
        ("a unit of one", 2, 0.6),
        pytest.param("an item everywhere", 3, 0.4, marks=pytest.mark.recovery),
    ],
)
def test_where_everybody_answers_everything_not_everything_is_hidden(build, spoilt, n_items, most_hidden):
    """Each number of respondents follows from the others there, which alone must hide nothing."""
    scale = build.instrument(("o", n_items), ("b", n_items))
    sizes = [1 if spoilt == "a unit of one" else 10, *[10] * 6]
    answers = build.random_responses(1, scale, sizes=sizes, p_target=1, p_respond=1, p_item=1)
    alike = {
        "one relation": (answers["rater_unit"] == "u1") & (answers["target_unit"] == "u2"),
        "an item everywhere": True,
    }.get(spoilt, False)
    answers.loc[alike & (answers["item"] == "o1"), "value"] = 5.0
    world = build.world_of(build.survey_of(answers, scale), scale)
    public = apply_disclosure(world.tables, world.survey, Disclosure())
    assert public["relation_scores"]["suppressed"].mean() <= most_hidden
    assert found_in_means(world, public) == []


def test_attacker_succeeds_where_only_thresholds_are_applied(build, monkeypatch):
    """The attack works: without complementary suppression it opens hidden rows of means, shares and
    counts."""
    monkeypatch.setattr("relcap_models.report.disclosure.decide.protect", lambda suppression, **figures: None)
    worlds = [organisation(build, shape, 0) for shape in list(SHAPES)[:3]]
    publics = [apply_disclosure(world.tables, world.survey, Disclosure()) for world in worlds]
    assert all(found_in_means(world, public) for world, public in zip(worlds, publics, strict=True))
    assert any(found_in_shares(world, public) for world, public in zip(worlds, publics, strict=True))
    assert any(
        found_in_counts(world, p, truth=world.tables) for world, p in zip(worlds, publics, strict=True)
    )


def test_linear_audit_is_needed_beyond_single_margins(build, monkeypatch):
    """Checking one margin at a time is not enough: combinations of margins open hidden rows that it
    leaves."""
    monkeypatch.setattr(complementary, "determined", lambda *system, empty, gaps: [])
    monkeypatch.setattr(complementary, "pinned_sums", lambda *system: [])
    monkeypatch.setattr(complementary, "pinned_counts", lambda *system: [])
    found = []
    for seed in range(3):
        world = organisation(build, "sparse", seed)
        found += found_in_means(world, apply_disclosure(world.tables, world.survey, Disclosure()))
    assert found


@pytest.mark.parametrize("seed", range(2))
def test_attacker_determines_nothing_about_own_staff_scores(build, seed):
    """Climate analyses: units add up to the organisation, whose distribution and changes are published."""
    scale = build.instrument(("safety", 3), ("synergy", 3), referent="own_team", name="ps")
    world = build.random(seed, scale, sizes=[3, 6, 7, 9, 12, 20], waves=2, stay=0.95)
    public = apply_disclosure(world.tables, world.survey, Disclosure())
    assert public["unit_scores"]["suppressed"].any()
    assert not public["changes"].query("level == 'organisation'")["suppressed"].any()
    assert found_in_means(world, public) == []


@pytest.mark.parametrize("shape", ["everybody answers at the top", "units of one respondent"])
def test_what_is_hidden_in_the_end_passes_the_whole_audit_again(build, monkeypatch, shape):
    """While rows are hidden the audit does not ask twice after what was wide enough; here it asks for all."""
    protect, audited = complementary.protect, []

    def protect_and_audit(suppression, *, means, few, secret, **figures):
        protect(suppression, means=means, few=few, secret=secret, **figures)
        published, hidden = (
            suppression.state == state for state in (complementary.PUBLISHED, complementary.HIDDEN)
        )
        sums = tuple(figures[name] for name in ("lowest", "total", "highest"))
        assert complementary.pinned_sums(suppression.cells, published, hidden, secret, *sums) == []
        assert not means or complementary.pinned_counts(suppression.cells, published, hidden & few) == []
        audited.append(means)

    monkeypatch.setattr("relcap_models.report.disclosure.decide.protect", protect_and_audit)
    world = organisation(build, shape, 0)
    apply_disclosure(world.tables, world.survey, Disclosure())
    assert audited
