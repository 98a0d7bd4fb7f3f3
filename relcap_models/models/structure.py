"""Which effects a design can tell apart. What it aliases is left out, and said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from relcap_models.language import Message
from relcap_models.models.frame import Frame
from relcap_models.schema.instrument import Text

_NESTED = (("respondent", "respondent_wave"), ("respondent_target", "rating"))


@dataclass(frozen=True)
class Grouping:
    """Exchangeable effects, one per group and dimension, independent between groups.

    group_of_rating : (N,) −1 where the effect does not act
    stratum_of_group : (G,) the wave, or all 0; shocks of districts are centred within it
    n_facets : an effect for each facet of the frame, all with one covariance, where it is more than 1
    """

    name: str
    group_of_rating: np.ndarray
    stratum_of_group: np.ndarray
    n_facets: int = 1

    @property
    def n_groups(self) -> int:
        return len(self.stratum_of_group)

    @property
    def suffix(self) -> str:
        """Ending of the names by which its covariance is kept."""
        return "_facet" if self.n_facets > 1 else ""

    def rows(self, frame: Frame, group_of_rating: np.ndarray | None = None) -> np.ndarray:
        """(N,) position of each rating's effect in (G, facets), −1 for none.

        group_of_rating : other numbers of the groups
        """
        group = self.group_of_rating if group_of_rating is None else group_of_rating
        if self.n_facets == 1:
            return group
        return np.where(group >= 0, group * self.n_facets + frame.facet_of_rating, -1)


@dataclass(frozen=True)
class Structure:
    """The effects of a relation or climate model on one frame.

    roles : the unit effects that share a covariance: perceiver, target, self, or the name of a facet that a
        unit's own staff rate.
    relation : `full` = relation variance apart from the residual; `residual` = relation and residual are one
        (one answer to one item per relation), only their sum and its reciprocity exist; `stable` = no
        part that changes between waves; `none`.
    relation_is : what a relation's effect is one with: `perceiver` where each unit rates one other, `target`
        where each is rated by one, `residual`; the first two then stand for the relation too.
    respondents : groupings below the unit, outermost first; a score averages over them.
    districts : shocks of district × wave at the rater's and at the target's end.
    left_out : sentences about effects that the design aliases, and about those whose prior tells them apart.
    """

    roles: tuple[str, ...]
    relation: Literal["none", "full", "stable", "residual"]
    respondents: tuple[Grouping, ...]
    districts: tuple[Grouping, ...]
    reciprocal: bool
    left_out: tuple[Message, ...]
    relation_is: tuple[Literal["perceiver", "target", "residual"], ...] = ()

    @property
    def nested(self) -> tuple[tuple[Grouping, ...], ...]:
        """Groupings below the unit, those of which one lies within the other together."""
        named = {grouping.name: grouping for grouping in self.respondents}
        pairs = [pair for pair in _NESTED if set(pair) <= set(named)]
        alone = [(name,) for name in named if not any(name in pair for pair in pairs)]
        return tuple(tuple(named[name] for name in names) for names in (*pairs, *alone))

    @property
    def within(self) -> tuple[str, ...]:
        return tuple(grouping.name for grouping in self.respondents)


def unit_rows(frame: Frame, structure: Structure) -> list[np.ndarray]:
    """The unit effects that act on each rating, as positions in (unit, wave, role); −1 for none: (N,)."""
    n_waves, roles = len(frame.waves), structure.roles
    rater, target = (
        (unit * n_waves + frame.wave_of_rating) * len(roles)
        for unit in (frame.rater_of_rating, frame.target_of_rating)
    )
    if len(frame.facets) > 1:
        about_others = "target" in roles
        names = ("perceiver", *frame.facets[1:]) if about_others else frame.facets
        role_of_facet = np.array([roles.index(name) for name in names])
        rows = [rater + role_of_facet[frame.facet_of_rating]]
        return [*rows, np.where(frame.own, -1, target + 1)] if about_others else rows
    if "target" not in roles:
        return [rater]
    return [rater, np.where(frame.own, rater + 2, target + 1) if "self" in roles else target + 1]


def latents_of_roles(frame: Frame, structure: Structure) -> np.ndarray:
    """(roles · D,) which facet × dimension each unit effect is of, as `Frame.latent_of_item` numbers them."""
    D = len(frame.dimensions)
    facets = [frame.facets.index(role) if role in frame.facets else 0 for role in structure.roles]
    return (np.array(facets)[:, None] * D + np.arange(D)).ravel()


def find_structure(frame: Frame) -> Structure:
    """Decide which effects the design separates.

    Two groupings that split the ratings alike are one effect; the outer one keeps it.
    """
    return _of_facets(frame) if len(frame.facets) > 1 else _of_one_facet(frame)


def _of_facets(frame: Frame) -> Structure:
    """Effects of facets that are modelled together: of units and respondents, with one covariance each.

    What a facet cannot tell apart no facet has. Shocks of districts stay with the units' effects.
    """
    parts = [_of_one_facet(frame.of_facet(f)) for f in range(len(frame.facets))]
    first = parts[0]
    about_others = "target" in first.roles
    wave, respondent = frame.wave_of_rating, frame.respondent_of_rating
    in_wave = _cross(respondent, wave)
    # Where a respondent rates once in a wave, that rating has the effect of respondent and wave.
    once = [
        _same_partition(in_wave[here], np.flatnonzero(here))
        for here in (frame.facet_of_rating == f for f in range(len(frame.facets)))
    ]
    found = [
        {"respondent_wave" if rates_once and name == "rating" else name for name in part.within}
        for part, rates_once in zip(parts, once)
    ]
    groupings = []
    for name, group in (("respondent", respondent), ("respondent_wave", in_wave)):
        if all(name in names for names in found):
            ids, at, group = np.unique(group, return_index=True, return_inverse=True)
            stratum = wave[at] if name == "respondent_wave" else np.zeros(len(ids), dtype=np.int64)
            groupings.append(Grouping(name, group, stratum, len(frame.facets)))
    outcome = np.flatnonzero(frame.facet_of_rating == 0)
    for grouping in first.respondents:
        if about_others and not once[0] and grouping.name in ("respondent_target", "rating"):
            group = np.full(frame.n_ratings, -1)
            group[outcome] = grouping.group_of_rating
            groupings.append(replace(grouping, group_of_rating=group))
    return replace(
        first,
        roles=("perceiver", "target", *frame.facets[1:]) if about_others else frame.facets,
        respondents=tuple(groupings),
        districts=(),
    )


def _of_one_facet(frame: Frame) -> Structure:
    own, n_waves = frame.own, len(frame.waves)
    left_out: list[Message] = []
    roles: tuple[str, ...] = ("perceiver",)
    if not own.all():
        roles = ("perceiver", "target", "self") if own.any() else ("perceiver", "target")

    wave = frame.wave_of_rating
    unit = frame.rater_of_rating
    cell = np.unique(unit * len(frame.units) + frame.target_of_rating, return_inverse=True)[1]
    rater_wave, cell_wave = _cross(unit, wave), _cross(cell, wave)
    # A unit that nobody else rates and that rates nobody has its whole story in one effect: perceiver.
    kept = {"unit": unit, "unit_wave": rater_wave}
    if "target" in roles:
        kept |= {"relation": cell, "relation_wave": cell_wave}
    respondent = frame.respondent_of_rating
    candidates = {"respondent": respondent, "respondent_wave": _cross(respondent, wave)}
    if "target" in roles:
        candidates["respondent_target"] = _cross(respondent, frame.target_of_rating)
    candidates["rating"] = np.arange(frame.n_ratings)
    n_items = np.bincount(frame.dimension_of_item, minlength=len(frame.dimensions))
    several_items, one_item = n_items.max() > 1, n_items.max() == 1
    groupings = []
    for name, group in candidates.items():
        if name in ("respondent_wave", "respondent_target") and (
            n_waves == 1 or _same_partition(group, candidates["rating"])
        ):
            continue
        same = next((other for other, ids in kept.items() if _same_partition(group, ids)), None)
        if same is None and name == "rating" and not several_items:
            left_out.append(Message("design.left_out.rating"))
            continue
        if same is not None:
            effect, other = (Message(f"design.effects.{which}") for which in (name, same))
            left_out.append(Message("design.left_out.same", effect=effect, same=other))
            continue
        kept[name] = group
        ids, first = np.unique(group, return_index=True)
        stratum = wave[first] if name in ("respondent_wave", "rating") else np.zeros(len(ids), dtype=np.int64)
        groupings.append(Grouping(name, np.searchsorted(ids, group), stratum))

    relation: Literal["none", "full", "stable", "residual"] = "none"
    relation_is: tuple[Literal["perceiver", "target", "residual"], ...] = ()
    reciprocal = False
    if "target" in roles:
        reciprocal = bool((frame.partner_of_relation >= 0).any())
        if not reciprocal:
            left_out.append(Message("design.left_out.reciprocity"))
        single_answer = one_item and _same_partition(np.arange(frame.n_ratings), cell_wave)
        relation, relation_is = "full", _ends_that_are_relations(frame, cell)
        if relation_is:
            relation = "none"
            left_out += _relation_in_an_end(frame, relation_is, reciprocal=reciprocal)
            reciprocal = False
            if single_answer:
                left_out.append(_rests_on_prior(frame.dimension_titles, relation_is[0]))
        elif single_answer and n_waves > 1:
            relation = "stable"
            left_out.append(Message("design.left_out.changes"))
        elif single_answer:
            relation = "residual" if reciprocal else "none"
            left_out.append(Message("design.left_out.relation"))
        if not relation_is and (alike := _ends_that_are_relations(frame, cell_wave, frame.wave_of_rating)):
            ends = [Message(f"design.effects.{end}") for end in alike]
            left_out.append(Message("design.alike_in_a_wave", effects=ends))
        if single_answer and n_waves == 1:
            relation_is = (*relation_is, "residual")
    if several_items:
        left_out += _one_item(frame, n_items, kept | {"rating": candidates["rating"]})
    districts, untold = _district_shocks(frame, roles)
    return Structure(
        roles=roles,
        relation=relation,
        respondents=tuple(groupings),
        districts=districts,
        reciprocal=reciprocal,
        left_out=(*left_out, *untold),
        relation_is=relation_is,
    )


def _one_item(frame: Frame, n_items: np.ndarray, effects: dict[str, np.ndarray]) -> list[Message]:
    """Of dimensions with one item among others: the residual is one with the effect that each rating has."""
    alone = [title for title, n in zip(frame.dimension_titles, n_items) if n == 1]
    if not alone:
        return []
    each = np.arange(frame.n_ratings)
    name = next(name for name, group in effects.items() if _same_partition(group, each))
    return [_rests_on_prior(alone, name)]


def _rests_on_prior(dimensions: Sequence[Text], effect: str) -> Message:
    """Of dimensions in which an effect and the residual are one."""
    return Message(
        "design.one_item",
        n=len(dimensions),
        dimensions=list(dimensions),
        effect=Message(f"design.effects.{effect}"),
    )


def _ends_that_are_relations(
    frame: Frame, relation: np.ndarray, wave: np.ndarray | None = None
) -> tuple[Literal["perceiver", "target"], ...]:
    """Ends whose units have one relation each, in all waves or in each; the own unit is no relation.

    With ratings of the own unit too: self takes up what tells a unit's perceiver from its only relation.
    """
    others = np.flatnonzero(~frame.own)
    wave = np.zeros_like(frame.wave_of_rating) if wave is None else wave
    ends = (("perceiver", frame.rater_of_rating), ("target", frame.target_of_rating))
    return tuple(end for end, unit in ends if _same_partition(_cross(unit, wave)[others], relation[others]))


def _relation_in_an_end(frame: Frame, ends: tuple[str, ...], *, reciprocal: bool) -> list[Message]:
    found = [Message("design.left_out.ends")]
    if len(ends) == 1:
        effect, end = Message("design.effects.relation"), Message(f"design.effects.{ends[0]}")
        found = [Message("design.left_out.same", effect=effect, same=end)]
        if np.isin(frame.rater_of_relation, frame.target_of_relation).any():
            found.append(Message("design.left_out.generalised", end=end))
    if reciprocal:
        found.append(Message("design.left_out.dyadic"))
    return found


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.unique(a * (b.max() + 1) + b, return_inverse=True)[1]


def _same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    n_a, n_b = len(np.unique(a)), len(np.unique(b))
    return n_a == n_b == len(np.unique(a * (b.max() + 1) + b))


def _district_shocks(
    frame: Frame, roles: tuple[str, ...]
) -> tuple[tuple[Grouping, ...], tuple[Message, ...]]:
    """District × wave at both ends, or why there is none where districts are declared.

    It needs two waves and at least three districts that differ from units: two units each on average. One
    district is none.
    """
    district, n_waves = frame.district_of_unit, len(frame.waves)
    n_districts = len(np.unique(district[district >= 0]))
    if n_districts < 2:
        return (), ()
    if n_waves < 2:
        return (), (Message("design.left_out.district_one_wave"),)
    if n_districts < 3:
        return (), (Message("design.left_out.district_few"),)
    if n_districts > len(frame.units) / 2:
        told = Message("design.left_out.district_many", districts=n_districts, units=len(frame.units))
        return (), (told,)
    wave = frame.wave_of_rating
    strata = np.tile(np.arange(n_waves), district.max() + 1)

    def shocks(name: str, unit: np.ndarray, acts: np.ndarray) -> Grouping:
        group = np.where(acts & (district[unit] >= 0), district[unit] * n_waves + wave, -1)
        return Grouping(name, group, strata)

    everywhere = np.ones(frame.n_ratings, dtype=bool)
    rater = shocks("district_perceiver", frame.rater_of_rating, everywhere)
    if "target" not in roles:
        return (rater,), ()
    return (rater, shocks("district_target", frame.target_of_rating, ~frame.own)), ()
