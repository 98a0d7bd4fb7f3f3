"""What a programme changed, in sentences that follow its table. How it was assigned stands in each."""

from __future__ import annotations

import pandas as pd

from relcap_models.report.sections.cells import difference_with_interval, in_words
from relcap_models.report.sections.link_sentences import direction
from relcap_models.report.sections.programme_effect_rows import ProgrammeRows


def title_of(rows: ProgrammeRows) -> str:
    return rows.texts(f"programmes.title.{rows.word}", programme=rows.programme, outcome=rows.analysis.title)


def answer_sentence(rows: ProgrammeRows) -> str:
    """The answer: direction and size in points; why there is none; or that none may be shown."""
    texts, analysis = rows.texts, rows.analysis
    if rows.refused:
        return refusal_sentence(rows)
    effect = rows.simple(rows.lead)
    if effect is None:
        return texts("programmes.nothing")
    side = direction(effect)
    kind = "own" if rows.own and rows.lead == "both_ends" else rows.lead
    return texts(
        f"programmes.answer.{kind}.{side}",
        outcome=analysis.title,
        points=texts.signed(effect["mean"]) if side == "unclear" else texts.number(abs(effect["mean"])),
        interval=texts.interval(effect["lower"], effect["upper"]),
        ci=rows.ci,
        assignment=rows.assignment,
        minimum=texts.whole(analysis.minimum),
        maximum=texts.whole(analysis.maximum),
    )


def refusal_sentence(rows: ProgrammeRows) -> str:
    """Why no effect is told: one cluster's own ups and downs are no effect."""
    return rows.texts(f"programmes.refused.{rows.refused}.{rows.design['assigned']}")


def favourable_sentence(rows: ProgrammeRows) -> str:
    """The same in answers that count as favourable, in percentage points."""
    share = rows.simple(rows.lead, "probability")
    if share is None:
        return ""
    texts = rows.texts
    return texts(
        f"programmes.favourable.{rows.word}",
        favourable=texts.whole(rows.analysis.favourable_from),
        share=texts.signed(100 * share["mean"], 1),
        interval=texts.interval(100 * share["lower"], 100 * share["upper"], 1),
        ci=rows.ci,
        assignment=rows.assignment,
    )


def chance_sentence(rows: ProgrammeRows) -> str:
    """P(effect > 0) and P(effect > the goal that the study file set in advance)."""
    effect = rows.simple(rows.lead)
    if effect is None or effect[["prob_positive", "prob_goal"]].isna().any():
        return ""
    texts, positive, goal = rows.texts, float(effect["prob_positive"]), float(effect["prob_goal"])
    return texts(
        f"programmes.chance.{rows.word}",
        words=in_words(texts, positive),
        p=texts.p(positive),
        goal=texts.number(rows.goal),
        goal_words=in_words(texts, goal),
        goal_p=texts.p(goal),
    )


def further_sentences(rows: ProgrammeRows) -> list[str]:
    """A line for each effect beside the one that is the answer."""
    texts, found = rows.texts, []
    for estimand in rows.estimands[1:]:
        effect, share = rows.simple(estimand), rows.simple(estimand, "probability")
        if effect is None or share is None:
            continue
        found.append(
            texts(
                "programmes.further",
                what=rows.title(estimand),
                estimate=difference_with_interval(texts, effect),
                share=_share(rows, share),
                assignment=rows.assignment,
                p=texts.probability(effect["prob_positive"]),
                goal=texts.number(rows.goal),
                goal_p=texts.probability(effect["prob_goal"]),
            )
        )
    return found


def _share(rows: ProgrammeRows, share: pd.Series) -> str:
    texts = rows.texts
    return texts(
        "format.estimate",
        mean=texts.signed(100 * share["mean"], 1),
        interval=texts.interval(100 * share["lower"], 100 * share["upper"], 1),
    )


def summary_sentence(rows: ProgrammeRows) -> str:
    """What the report's summary says of the programme."""
    return f"{answer_sentence(rows)} {chance_sentence(rows)}".strip()


def assignment_sentence(rows: ProgrammeRows) -> str:
    """Who decided who takes part, and what follows from that."""
    code = "randomised" if rows.randomised else "observational"
    return rows.texts(f"programmes.assignments.{code}.{rows.word}")


def not_shown_sentences(rows: ProgrammeRows) -> list[str]:
    """Of a single group: what else may have made the change."""
    waves, texts = list(rows.material.wave_ids), rows.texts
    start = str(rows.design["first_start"])
    before = waves.index(start) if start in waves else 1
    chosen = "chosen" if rows.analysis.declared.get("chosen") else "not_chosen"
    return [
        texts("programmes.not_shown.events"),
        texts.count("programmes.not_shown.trends", before),
        texts(f"programmes.not_shown.regression.{chosen}"),
        texts("programmes.not_shown.comparison"),
    ]


def before_sentence(rows: ProgrammeRows) -> str:
    """Whether units under the programme had already gone another way before the start."""
    found = [rows.of(estimand, "dynamic") for estimand in rows.estimands]
    early = [effects[effects["time"].str.startswith("-")] for effects in found]
    table = pd.concat(early) if early else pd.DataFrame()
    if table.empty:
        return rows.texts("programmes.event.none_before")
    off = int(((table["lower"] > 0) | (table["upper"] < 0)).sum())
    return rows.texts(
        "programmes.event.before",
        off=rows.texts.whole(off),
        total=rows.texts.whole(len(table)),
        ci=rows.ci,
    )
