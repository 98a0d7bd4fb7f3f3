"""Do the answers look like those that the fitted model produces? By item, and by unit."""

from __future__ import annotations

import numpy as np

from relcap_models.inference.fit import Fit
from relcap_models.inference.predictive import UNIT_STATISTICS, Replicates

_MAX_OFF = 0.02
_UNIT_TAIL = 0.02
_ALARM = 0.001


def item_check(fit: Fit, replicates: Replicates) -> tuple:
    """Row of the check of items: (check, subject, value, threshold, passed, message).

    The value is how far, in share of answers, the worst category lies outside the simultaneous 99 %
    predictive interval over all items and categories. What is outside by no more than two percentage
    points passes: with many answers every model is wrong. The gaussian family speaks of means and
    standard deviations, and is held to those; its value is in pooled standard deviations of the answers.
    """
    frame = fit.frame
    gaussian = fit.model.response == "gaussian"
    if gaussian:
        observed = replicates.observed.items / frame.latent_scale_of_answers
        drawn = replicates.replicated.items / frame.latent_scale_of_answers
    else:
        observed, drawn = replicates.observed.shares, replicates.replicated.shares
    answered = np.bincount(frame.item_of_response, minlength=len(frame.items)) > 1
    judged = answered[:, None] & ~np.isnan(observed) & ~np.isnan(drawn).any(axis=0)
    x, y = observed[judged], drawn[:, judged]
    mean, sd = y.mean(axis=0), y.std(axis=0)
    scale = np.where(sd > 0, sd, np.inf)
    reach = np.quantile(np.max(np.abs(y - mean) / scale, axis=1), 0.99)
    outside = np.abs(x - mean) - reach * sd
    worst = int(outside.argmax())
    item, column = (int(v[worst]) for v in np.nonzero(judged))
    value = max(float(outside[worst]), 0.0)
    passed = value <= _MAX_OFF
    if gaussian:
        what = ("mean", "standard deviation")[column]
        subject = f"{frame.items[item]}, {('mean', 'sd')[column]}"
        seen = f"its {what} is {x[worst]:.3f}, predicted {mean[worst]:.3f} (in pooled standard deviations)"
    else:
        category = int(frame.minimum_of_item[item]) + column
        subject = f"{frame.items[item]} = {category}"
        seen = f"{x[worst]:.1%} answered {category}, predicted {mean[worst]:.1%} ± {reach * sd[worst]:.1%}"
    message = (
        "Answers to each item against those predicted: the furthest off is "
        f"{frame.items[item]}, where {seen}."
    )
    if not passed:
        message += " The model does not reproduce how people use this item: try another family or link."
    return ("posterior_predictive_items", subject, value, _MAX_OFF, passed, message)


def unit_check(fit: Fit, replicates: Replicates) -> tuple:
    """Row of the check of units.

    Mean and standard deviation of the answers each unit gave, and of those it got from others. The value
    is the share of these statistics outside their 98 % predictive interval; it fails where so many would
    happen by chance less than once in a thousand (binomial).
    """
    frame = fit.frame
    observed, drawn = replicates.observed.units, replicates.replicated.units
    judged = ~np.isnan(observed) & ~np.isnan(drawn).any(axis=0)
    x, y = observed[judged], drawn[:, judged]
    n = len(x)
    if n == 0:
        message = "No unit gave or got two answers: there is nothing to compare."
        return ("posterior_predictive_units", "", 0.0, _UNIT_TAIL, True, message)
    lower, upper = np.quantile(y, (_UNIT_TAIL / 2, 1 - _UNIT_TAIL / 2), axis=0)
    n_outside = int(((x < lower) | (x > upper)).sum())
    # Imported here: it takes a second, which reading a study does not need.
    from scipy.stats import binom

    allowed = int(binom.isf(_ALARM, n, _UNIT_TAIL))
    sd = y.std(axis=0)
    distance = np.abs(x - y.mean(axis=0)) / np.where(sd > 0, sd, np.inf)
    worst = int(distance.argmax())
    unit, statistic = (int(v[worst]) for v in np.nonzero(judged))
    name = f"{frame.units[unit]}, {UNIT_STATISTICS[statistic]}"
    passed = n_outside <= allowed
    message = (
        f"Mean and spread of the answers of each unit, as rater and as rated: {n_outside:,} of {n:,} lie "
        f"outside their 98 % predictive interval ({allowed:,} at most by chance); the furthest off is {name} "
        f"({x[worst]:.2f}, predicted {lower[worst]:.2f} to {upper[worst]:.2f})."
    )
    if not passed:
        message += " Some units answer differently from what the model allows: look at their answers."
    return ("posterior_predictive_units", name, n_outside / n, allowed / n, passed, message)
