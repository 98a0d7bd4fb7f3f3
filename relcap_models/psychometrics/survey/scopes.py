"""Of whom figures are: everybody, a wave, a language, a layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from relcap_models.psychometrics.survey.answers import Answers

SPLITS = ("wave", "language", "layer")


@dataclass(frozen=True)
class Scope:
    """The ratings of one group. split : `survey` (everybody; group is empty), `wave`, `language`, `layer`."""

    split: str
    group: str
    answers: Answers


def scopes_of(answers: Answers) -> Iterator[Scope]:
    """Everybody, then each group that is large enough, of splits with two groups at least."""
    yield Scope("survey", "", answers)
    for split in SPLITS:
        if answers.about[split].nunique() > 1:
            for group in answers.large_groups(split):
                yield Scope(split, group, answers.where(answers.about[split] == group))
