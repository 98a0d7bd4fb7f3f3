"""Where the fast engine's approximation can be trusted: rows of the table of checks."""

from __future__ import annotations

import numpy as np

from relcap_models.inference.fast.engine import CLOSE
from relcap_models.inference.fit import Fit

# The posterior of a standard deviation of which the answers say nothing is its prior, whose sd is .71 (gamma)
# or .76 (half-normal) of its mean.
_MAX_SPREAD = 0.6
_MIN_RESPONDENTS = 3
_MAX_EXTREME = 0.5

_REMEDY = "Use the sampler: --engine nuts."


def trust(fit: Fit) -> list[tuple]:
    """Whether the iterations ended, and whether the data lie where a Gaussian comes close.

    Returns
    -------
    Rows (check, subject, value, threshold, passed, message)
    """
    return [_settled(fit), _spreads(fit), _respondents(fit), _extremes(fit)]


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

    Those of units and relations, of which scores are made: smaller levels may well be 0.
    """
    names, ratios = [], []
    for name in ("sd_unit", "sd_unit_stable", "sd_relation"):
        if name in fit.posterior:
            draws = fit.draws(name)
            for label, column in zip(fit.posterior[fit.posterior[name].dims[-1]].to_numpy(), draws.T):
                names.append(f"{name}[{label}]")
                ratios.append(column.std() / column.mean())
    worst = int(np.argmax(ratios))
    value, passed = float(ratios[worst]), bool(ratios[worst] <= _MAX_SPREAD)
    message = (
        f"The least certain standard deviation is {names[worst]}: its posterior sd is {value:.2f} of its "
        f"mean (at most {_MAX_SPREAD:g})."
    )
    if not passed:
        message += f" It may be close to 0, where the approximation is poor. {_REMEDY}"
    return "fast_spreads", names[worst], value, _MAX_SPREAD, passed, message


def _respondents(fit: Fit) -> tuple:
    frame = fit.frame
    pairs = np.unique(np.column_stack([frame.rater_of_rating, frame.respondent_of_rating]), axis=0)
    value = float(np.median(np.bincount(pairs[:, 0])[np.unique(pairs[:, 0])]))
    passed = value >= _MIN_RESPONDENTS
    message = f"Units have {value:g} respondents (median; at least {_MIN_RESPONDENTS})."
    if not passed:
        message += f" With so few the approximation has not been tested. {_REMEDY}"
    return "fast_respondents", "", value, float(_MIN_RESPONDENTS), bool(passed), message


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
