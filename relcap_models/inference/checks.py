"""Whether a run can be trusted: convergence of what is reported, the sampler's alarms, and predictive fit.

One row per kind of check, naming the worst offender and what to do about it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from relcap_models.inference.fit import Fit
from relcap_models.inference.loo import LooResult, loo
from relcap_models.inference.predictive import Replicates, replicate
from relcap_models.inference.predictive_checks import item_check, unit_check

COLUMNS = ("analysis", "check", "subject", "value", "threshold", "passed", "message")

_MIN_BFMI = 0.2  # Betancourt (2016), as Stan warns
_MAX_SATURATED = 0.05
# Where few rate a relation, each of them weighs much in it: k is often too large for leave-one-out although
# the model is true (22 % of the municipality's respondents). Above 1 the weights have no mean.
_INFINITE = 1.0
_MAX_BAD_SHARE = 0.10


def checks(
    fit: Fit,
    *,
    estimates: Mapping[str, pd.DataFrame],
    max_rhat: float = 1.01,
    min_ess: float = 400,
    replicates: Replicates | None = None,
    left_out: LooResult | None = None,
) -> pd.DataFrame:
    """Check a fit and the tables made from it.

    Parameters
    ----------
    estimates : the uncontrolled tables, by name; those with columns `rhat`, `ess` and `ess_tail` are checked,
        every row
    max_rhat, min_ess : limits for every quantity that is kept and every row that is reported
    replicates, left_out : results of `replicate` and of `loo` or `cross_validate`, where they are at hand;
        made here otherwise

    Returns
    -------
    One row per check: analysis, check, subject (the worst), value, threshold, passed, message. No NaN:
    quantities that are constant (a mean fixed at 0, a correlation with itself) are not checked. The fast
    engine's draws are independent, so its checks are others (`fast.trust`); it is for looking, and nobody is
    left out.
    """
    seed = int(fit.settings["seed"])
    if fit.settings["engine"] == "fast":
        from relcap_models.inference.fast.trust import trust

        rows = trust(fit)
    else:
        rows = [
            *_convergence(fit, estimates, max_rhat=max_rhat, min_ess=min_ess),
            *_sampler(fit),
        ]
        # Leaving a respondent out is worked out for one instrument at a time.
        if len(fit.frame.facets) == 1:
            rows.append(_influence(left_out or loo(fit)))
    rows += _predictive(fit, replicates or replicate(fit, seed=seed))
    table = pd.DataFrame(rows, columns=COLUMNS[1:])
    table.insert(0, "analysis", fit.model.id)
    return table


def _convergence(
    fit: Fit, estimates: Mapping[str, pd.DataFrame], *, max_rhat: float, min_ess: float
) -> list[tuple]:
    names, values = _collect(fit, estimates)
    options = f"Run more draws: --set inference.draws={2 * fit.n_draws}"
    rows = []
    for check, sign, limit, label, what in (
        ("rhat", 1.0, max_rhat, "R-hat", "at most"),
        ("ess_bulk", -1.0, min_ess, "bulk effective sample size", "at least"),
        ("ess_tail", -1.0, min_ess, "tail effective sample size", "at least"),
    ):
        found = values[check]
        judged = np.flatnonzero(~np.isnan(found))
        if not len(judged):
            message = f"The {label} cannot be computed: there are too few draws or chains. {options}."
            rows.append((check, "", 0.0, limit, False, message))
            continue
        worst = judged[np.argmax(sign * found[judged])]
        value = float(found[worst])
        n_bad = int((sign * found[judged] > sign * limit).sum())
        shown = f"{value:.3f}" if check == "rhat" else f"{value:.0f}"
        extreme = "largest" if sign > 0 else "smallest"
        message = (
            f"The {extreme} {label} of {len(judged):,} quantities is {shown} ({what} {limit:g}), "
            f"of {names[worst]}."
        )
        if n_bad:
            message += (
                f" {n_bad:,} of them miss{'es' if n_bad == 1 else ''} the limit. {options}, or more tuning."
            )
        rows.append((check, names[worst], value, limit, n_bad == 0, message))
    return rows


def _collect(fit: Fit, estimates: Mapping[str, pd.DataFrame]) -> tuple[list[str], dict[str, np.ndarray]]:
    """Names, R-hat and effective sample sizes of all that is kept and every row that is reported."""
    # Imported here: it loads the compiler, which reading a study does not need.
    from relcap_models.inference.convergence import convergence

    names: list[str] = []
    parts: dict[str, list[np.ndarray]] = {"rhat": [], "ess_bulk": [], "ess_tail": []}
    # In alphabetical order: the sampler's own order changes from run to run, and so would the worst of ties.
    for name, variable in sorted(fit.posterior.data_vars.items()):
        array = variable.transpose("chain", "draw", ...)
        found = convergence(array.to_numpy())
        dims = array.dims[2:]
        labels = [[str(label) for label in array[dim].to_numpy()] for dim in dims]
        shape = array.shape[2:]
        for position in np.ndindex(shape):
            where = ", ".join(labels[axis][k] for axis, k in enumerate(position))
            names.append(f"{name}[{where}]" if where else str(name))
        for key in parts:
            parts[key].append(np.ravel(getattr(found, key)))
    for name, table in estimates.items():
        if not {"rhat", "ess", "ess_tail"} <= set(table.columns):
            continue
        names += _row_labels(name, table)
        for key, column in (("rhat", "rhat"), ("ess_bulk", "ess"), ("ess_tail", "ess_tail")):
            parts[key].append(table[column].to_numpy(dtype=float, na_value=np.nan))
    return names, {key: np.concatenate(arrays) for key, arrays in parts.items()}


def _row_labels(name: str, table: pd.DataFrame) -> list[str]:
    """`relation_scores[w1, u01, u02, overall]`: the columns before `mean`, but analysis and blanks."""
    before = list(table.columns[: list(table.columns).index("mean")])
    labels = [c for c in before if c != "analysis"]
    rows = zip(*(table[c] for c in labels))
    return [f"{name}[{', '.join(str(v) for v in row if not pd.isna(v))}]" for row in rows]


def _sampler(fit: Fit) -> list[tuple]:
    from arviz_stats.base import array_stats

    stats = fit.tree["sample_stats"]
    diverging = stats["diverging"].transpose("chain", "draw").to_numpy()
    n_diverging = int(diverging.sum())
    if n_diverging:
        chain = int(diverging.sum(axis=1).argmax())
        message = (
            f"{n_diverging:,} of {diverging.size:,} transitions diverged: parts of the posterior were not "
            "reached. Take smaller steps: --set inference.target_accept=0.95, and more tuning."
        )
    else:
        message = "No transition diverged."
    rows = [
        (
            "divergences",
            f"chain {chain}" if n_diverging else "",
            float(n_diverging),
            0.0,
            n_diverging == 0,
            message,
        )
    ]

    energy = stats["energy"].transpose("chain", "draw").to_numpy()
    fraction = np.nan_to_num(np.atleast_1d(array_stats.bfmi(energy)), nan=0.0)
    chain = int(fraction.argmin())
    value, passed = float(fraction[chain]), bool(fraction[chain] >= _MIN_BFMI)
    message = f"The smallest energy fraction (E-BFMI) of a chain is {value:.2f} (at least {_MIN_BFMI:g})."
    if not passed:
        message += (
            " The tails of the posterior are explored slowly: run more tuning, --set inference.tune=2000."
        )
    rows.append(("ebfmi", f"chain {chain}", value, _MIN_BFMI, passed, message))

    saturated = stats["maxdepth_reached"].transpose("chain", "draw").to_numpy().mean(axis=1)
    chain = int(saturated.argmax())
    value, passed = float(saturated[chain]), bool(saturated[chain] <= _MAX_SATURATED)
    message = (
        f"At most {value:.1%} of a chain's transitions used the longest trajectory allowed "
        f"(at most {_MAX_SATURATED:.0%})."
    )
    if not passed:
        message += " The steps are too small for the posterior: run more tuning, --set inference.tune=2000."
    rows.append(("tree_depth", f"chain {chain}", value, _MAX_SATURATED, passed, message))
    return rows


def _predictive(fit: Fit, replicates: Replicates) -> list[tuple]:
    return [item_check(fit, replicates), unit_check(fit, replicates)]


def _influence(found: LooResult) -> tuple:
    """Respondents whose answers the fit cannot be imagined without.

    A few concern only the leave-one-out comparison, not the estimates; many mean that the model does not
    describe people.
    """
    k = found.pareto_k
    worst = int(np.argmax(k.to_numpy()))
    share = float((k > _INFINITE).mean())
    passed = share <= _MAX_BAD_SHARE
    name = str(k["respondent"].to_numpy()[worst])
    message = (
        f"Left out one at a time, {share:.1%} of respondents have a Pareto k above {_INFINITE:g} "
        f"(at most {_MAX_BAD_SHARE:.0%})."
    )
    if not passed:
        message += (
            " The estimates hang on single people more than the model foresees: look at how they answered, "
            "and at the predictive checks."
        )
    return ("pareto_k", f"respondent {name}", share, _MAX_BAD_SHARE, passed, message)
