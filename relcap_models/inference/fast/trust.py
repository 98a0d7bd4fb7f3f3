"""Where the fast engine's approximation can be trusted: rows of the table of checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from relcap_models.inference.fast.engine import CLOSE
from relcap_models.inference.fit import Fit
from relcap_models.models.frame import Frame

# Beyond them in 20 simulated data sets of each kind, 20 units of ten people (links: 30 units). Without the
# variance: .85 to .98 of units', .98 of relations', .88 to 1 of the others. With the simulation's usual one:
# 0 to .2 of units' (self .05 to .32), of the others none but those of four districts (.74). With 40 units at
# most .02 of any.
_MAX_UNIT_SPREAD, _MAX_SPREAD = 0.37, 0.3
"""Posterior sd by posterior mean beyond which a standard deviation may be 0. The prior of those of units
keeps them from 0, which leaves them less uncertain there."""
_MIN_RESPONDENTS = 3
_MAX_FEW = 0.1
_MIN_LINKED = 30
_MAX_EXTREME = 0.5
_LEVELS = ("sd_respondent", "sd_rating", "sd_district")
"""Effects over which scores are averaged, and shocks of districts."""

_REMEDY = "Use the sampler: --engine nuts."


def trust(fit: Fit) -> list[tuple]:
    """Whether the iterations ended, and whether the data lie where a Gaussian comes close.

    Returns
    -------
    Rows (check, subject, value, threshold, passed, message)
    """
    rows = [_settled(fit), _spreads(fit), *_levels(fit), _respondents(fit), _few_respondents(fit)]
    if len(fit.frame.facets) > 1:
        rows.append(_linked(fit))
    return [*rows, _extremes(fit)]


def _settled(fit: Fit) -> tuple:
    found = fit.tree["approximation"]
    parts = [str(part) for part in found.coords["part"].to_numpy()]
    ratio = np.abs(found["left"].to_numpy()) / np.array([CLOSE[part] for part in parts])
    worst = int(ratio.argmax())
    rounds = int(found["n_rounds"])
    passed = bool(ratio[worst] <= 1.0)
    message = f"After {rounds} rounds nothing moved any more."
    if not passed:
        message = f"After {rounds} rounds the {parts[worst]} still moved. {_REMEDY}"
    return "fast_settled", parts[worst], float(ratio[worst]), 1.0, passed, message


def _spreads(fit: Fit) -> tuple:
    """A standard deviation that may be 0 has a posterior far from normal, and pulls its effects along.

    Those of units and relations, of which scores, changes and links are made.
    """
    ratios = {name: ratio for name, ratio in _ratios(fit) if not name.startswith(_LEVELS)}
    worst, low = _least_certain(ratios)
    value, limit, passed = ratios[worst], _limit(worst), not low
    message = (
        f"The least certain standard deviation is {worst}: its posterior sd is {value:.2f} of its "
        f"mean (at most {limit:g})."
    )
    if not passed:
        low.remove(worst)
        also = f", and so may {', '.join(low)}" if low else ""
        message += f" It may be close to 0{also}, where the approximation is poor. {_REMEDY}"
    return "fast_spreads", worst, value, limit, passed, message


def _levels(fit: Fit) -> Iterator[tuple]:
    """Which of the other standard deviations may be 0: told, not failed.

    Of single respondents and ratings nothing is reported but how much they vary, and many organisations have
    levels on which nothing varies. Beside NUTS, scores without such a variance are hardly further off than
    with it; where that of units is uncertain, their sds are a sixth too large.
    """
    ratios = {name: ratio for name, ratio in _ratios(fit) if name.startswith(_LEVELS)}
    if not ratios:
        return
    worst, low = _least_certain(ratios)
    message = (
        f"{len(low)} of {len(ratios)} standard deviations of respondents, ratings and districts may be 0; "
        f"the least certain is {worst}, its posterior sd {ratios[worst]:.2f} of its mean."
    )
    if low:
        message += f" Take no figure of theirs for a sign that there is such a variance: {', '.join(low)}."
    yield "fast_levels", worst, float(len(low)), float(len(ratios)), True, message


def _limit(name: str) -> float:
    return _MAX_UNIT_SPREAD if name.startswith("sd_unit") else _MAX_SPREAD


def _least_certain(ratios: Mapping[str, float]) -> tuple[str, list[str]]:
    """The one furthest towards its limit or beyond, and all that may be 0."""
    worst = max(ratios, key=lambda name: ratios[name] / _limit(name))
    return worst, [name for name, ratio in ratios.items() if ratio > _limit(name)]


def _ratios(fit: Fit) -> Iterator[tuple[str, float]]:
    """Posterior sd by posterior mean of every standard deviation of effects.

    In alphabetical order, as the order in which they are kept is no one's choice.
    """
    for name in sorted(str(name) for name in fit.posterior.data_vars if str(name).startswith("sd_")):
        draws = fit.draws(name)
        for label, column in zip(fit.posterior[name][fit.posterior[name].dims[-1]].to_numpy(), draws.T):
            yield f"{name}[{label}]", float(column.std() / column.mean())


def _respondents(fit: Fit) -> tuple:
    value = float(np.median(_heads(fit.frame.rater_of_rating, fit.frame)))
    passed = value >= _MIN_RESPONDENTS
    message = f"Units have {value:g} respondents (median; at least {_MIN_RESPONDENTS})."
    if not passed:
        message += f" With so few the approximation has not been tested. {_REMEDY}"
    return "fast_respondents", "", value, float(_MIN_RESPONDENTS), bool(passed), message


def _few_respondents(fit: Fit) -> tuple:
    """Units with hardly a rater are not seen in a median."""
    frame = fit.frame
    sides = {"have fewer than {least} respondents": _heads(frame.rater_of_rating, frame)}
    if not frame.own.all():
        sides["are rated by fewer than {least} others"] = _heads(frame.target_of_rating, frame, ~frame.own)
    shares, said = [], []
    for words, heads in sides.items():
        few = int((heads < _MIN_RESPONDENTS).sum())
        shares.append(few / len(heads))
        said.append(f"{few:,} of {len(heads):,} units {words.format(least=_MIN_RESPONDENTS)}")
    value, passed = max(shares), max(shares) <= _MAX_FEW
    message = f"{', and '.join(said)} (at most {_MAX_FEW:.0%})."
    if not passed:
        message += f" For these the approximation has not been tested. {_REMEDY}"
    return "fast_few_respondents", "", value, _MAX_FEW, passed, message


def _heads(unit: np.ndarray, frame: Frame, counted: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Respondents of each unit that has one, among the ratings that are counted."""
    pairs = np.column_stack([unit, frame.respondent_of_rating])[counted]
    heads = np.bincount(np.unique(pairs, axis=0)[:, 0])
    return heads[heads > 0]


def _linked(fit: Fit) -> tuple:
    """A slope is a ratio of covariances: with few units its posterior has longer tails than the draws."""
    frame = fit.frame
    of_outcome = frame.facet_of_rating == 0
    value = float(len(np.intersect1d(frame.target_of_rating[of_outcome], frame.rater_of_rating[~of_outcome])))
    passed = value >= _MIN_LINKED
    message = f"Slopes rest on {value:g} units with both ends of the link (at least {_MIN_LINKED})."
    if not passed:
        message += f" Their intervals are too narrow, with twenty units by up to a tenth. {_REMEDY}"
    return "fast_linked_units", "", value, float(_MIN_LINKED), passed, message


def _extremes(fit: Fit) -> tuple:
    """Ratings with every answer at one end of the scale bound the latent value from one side only."""
    frame = fit.frame
    if fit.model.response == "gaussian":
        return "fast_extremes", "", 0.0, _MAX_EXTREME, True, "The gaussian family has no extreme answers."
    top = frame.n_categories[frame.item_of_response] - 1
    n = np.bincount(frame.rating_of_response, minlength=frame.n_ratings)
    ends = np.zeros(frame.n_ratings, dtype=bool)
    for at_end in (frame.answer == 0, frame.answer == top):
        ends |= np.bincount(frame.rating_of_response, at_end, minlength=frame.n_ratings) == n
    value = float(ends[n > 0].mean())
    passed = value <= _MAX_EXTREME
    message = (
        f"{value:.0%} of ratings have every answer at one end of the scale (at most {_MAX_EXTREME:.0%})."
    )
    if not passed:
        message += f" They bound the latent rating from one side only. {_REMEDY}"
    return "fast_extremes", "", value, _MAX_EXTREME, bool(passed), message
