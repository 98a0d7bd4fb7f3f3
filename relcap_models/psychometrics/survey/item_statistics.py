"""How the answers to each item are distributed, and how the item goes with the rest of its dimension."""

from __future__ import annotations

from collections.abc import Iterator

from relcap_models.psychometrics.survey.scopes import Scope


def item_rows(scope: Scope) -> Iterator[dict[str, object]]:
    """Per item: answers, share without one, mean, sd, shares at both ends, correlation with the rest.

    `item_rest` is the correlation with the mean of the dimension's other items, of those who answered all.
    """
    answers = scope.answers
    for dimension, names in answers.dimensions.items():
        part = answers.items[names]
        whole = part.dropna()
        for name in names:
            values = part[name].dropna()
            scale = answers.scale_of(name)
            rest = whole.drop(columns=name)
            varied = len(whole) > 2 and len(rest.columns) > 0 and whole[name].nunique() > 1
            row = {"dimension": dimension, "item": name, "n_ratings": len(values)}
            row |= {"n_respondents": int(answers.about.loc[values.index, "respondent"].nunique())}
            row |= {"unanswered": float(part[name].isna().mean()), "mean": values.mean(), "sd": values.std()}
            row |= {"lowest": float((values == scale.minimum).mean())}
            row |= {"highest": float((values == scale.maximum).mean())}
            row |= {"item_rest": whole[name].corr(rest.mean(axis=1)) if varied else float("nan")}
            yield row


def share_rows(scope: Scope) -> Iterator[dict[str, object]]:
    """Per item and category of its scale: the share of the answers."""
    answers = scope.answers
    for dimension, names in answers.dimensions.items():
        for name in names:
            scale = answers.scale_of(name)
            shares = answers.items[name].value_counts(normalize=True)
            for category in range(scale.minimum, scale.maximum + 1):
                row = {"dimension": dimension, "item": name, "category": category}
                yield row | {"share": float(shares.get(float(category), 0.0))}
