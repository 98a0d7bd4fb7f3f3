"""What each check of a programme's effect came to, in a sentence or two."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from relcap_models.language import Texts
from relcap_models.report.sections.cells import difference_with_interval
from relcap_models.report.sections.programme_effect_rows import ProgrammeRows

THREATS = (
    "none",
    "pre_trends",
    "placebo_start",
    "placebo_outcome",
    "anticipation",
    "response_shift",
    "dropout",
    "contamination",
    "leave_one_out",
    "regression_to_the_mean",
)
EFFECT = "effect"
_FIGURES = ["value", "lower", "upper", "p"]


def _p(texts: Texts, value: float) -> str:
    """`p = 0.61`, for sentences."""
    text = texts.probability(value)
    return f"p\u00a0{text}" if text[0] in "<>" else f"p\u00a0=\u00a0{text}"


def threat_name(rows: ProgrammeRows, threat: str) -> str:
    return rows.texts.known(f"programmes.threats.{threat}.name", threat)


def quantity_in_words(rows: ProgrammeRows, row: pd.Series) -> str:
    key = "change" if rows.single and row["quantity"] == EFFECT else str(row["quantity"])
    return rows.texts.known(f"programmes.threats.quantities.{key}", key)


def variant_in_words(rows: ProgrammeRows, row: pd.Series) -> str:
    """A variant as the table has it (`relative:1`, `stayers:w2`, `-2`, `0.25`, an instrument) in words."""
    texts, variant = rows.texts, str(row["variant"])
    code, _, rest = variant.partition(":")
    if code in ("equal", "freed"):
        return texts(f"programmes.threats.parts.{code}", rest=rows.analysis.dimension(rest))
    if rest:
        known = texts.known(f"programmes.threats.parts.{code}", "")
        return known.format(rest=_number(rows, rest)) if known else variant
    if row["threat"] == "placebo_outcome":
        instruments = {str(i["id"]): texts.of(i.get("title")) for i in rows.material.context["instruments"]}
        return instruments.get(variant) or variant
    if row["threat"] in ("pre_trends", "anticipation") and variant.startswith("-"):
        return texts.count("programmes.threats.waves_before", -int(variant))
    if row["threat"] == "contamination" and variant:
        return texts("programmes.threats.partners", share=texts.percent(float(variant)))
    known = texts.known(f"programmes.threats.variants.{variant}", "")
    return known or texts.known(f"psychometrics.levels.{variant}", "") or rows.analysis.dimension(variant)


def _number(rows: ProgrammeRows, rest: str) -> str:
    """A bound with the digits that it has, or a cohort."""
    try:
        return rows.texts.number(float(rest), len(rest.partition(".")[2]))
    except ValueError:
        return rows.cohort(rest)


def notes_in_words(rows: ProgrammeRows, note: str) -> str:
    """`incomplete:12;few_clusters` as a sentence each."""
    told = []
    for one in filter(None, note.split(";")):
        code, _, rest = one.partition(":")
        rest = rows.material.unit(rest) if code == "cluster" else rest.replace(",", ", ")
        told.append(rows.texts.known(f"programmes.notes.{code}", one).replace("{rest}", rest))
    return " ".join(told)


def main_of(rows: ProgrammeRows, table: pd.DataFrame) -> pd.Series | None:
    """The effect that checks vary: that of plain means, or the model's where there is none."""
    plain = _of(table, "none", rows.lead, EFFECT)
    return plain.iloc[0] if len(plain) else rows.simple(rows.lead)


def result_sentence(rows: ProgrammeRows, table: pd.DataFrame, threat: str) -> str:
    """What the check came to for the effect that is the answer."""
    texts, part = rows.texts, table[table["threat"] == threat]
    if part[_FIGURES].isna().all(axis=None):
        notes = dict.fromkeys(filter(None, (notes_in_words(rows, str(note)) for note in part["note"])))
        return " ".join([texts("programmes.threats.unknown"), *notes])
    told = {
        "pre_trends": _trends,
        "placebo_start": _placebo,
        "placebo_outcome": _placebo,
        "anticipation": _anticipation,
        "response_shift": _shift,
        "dropout": _dropout,
        "regression_to_the_mean": _selection,
    }.get(threat, _moves)
    return " ".join(told(rows, table, threat)) or texts("programmes.threats.see_table")


def _of(table: pd.DataFrame, threat: str, estimand: str, quantity: str) -> pd.DataFrame:
    """Rows with a figure, which is called `mean`."""
    return table[
        (table["threat"] == threat)
        & (table["estimand"] == estimand)
        & (table["quantity"] == quantity)
        & table["value"].notna()
    ].rename(columns={"value": "mean"})


def effects_under(table: pd.DataFrame, threat: str, estimand: str) -> pd.DataFrame:
    """The effect in points under each variant; of a placebo at whichever end its instrument asks about."""
    found = _of(table, threat, estimand, EFFECT)
    if found.empty and threat == "placebo_outcome":
        part = table[(table["threat"] == threat) & (table["quantity"] == EFFECT)]
        return part[part["value"].notna()].rename(columns={"value": "mean"})
    return found


def _moves(rows: ProgrammeRows, table: pd.DataFrame, threat: str) -> Iterator[str]:
    """Whether the effect stays inside the interval of the estimate that is varied."""
    texts, main = rows.texts, main_of(rows, table)
    effects = effects_under(table, threat, rows.lead)
    if main is None or effects.empty or pd.isna(main["lower"]):
        return
    low, high = texts.signed(effects["mean"].min()), texts.signed(effects["mean"].max())
    off = effects[(effects["mean"] < main["lower"]) | (effects["mean"] > main["upper"])]
    names = [variant_in_words(rows, row) for _, row in off.iterrows() if row["variant"]]
    key = "stays" if off.empty else "moves" if names else "moves_away"
    yield texts(
        f"programmes.threats.{key}.{rows.word}",
        span=low if low == high else texts("format.range", lower=low, upper=high),
        main=difference_with_interval(texts, main),
        assignment=rows.assignment,
        variants=texts.listing(list(dict.fromkeys(names))),
    )


def _trends(rows: ProgrammeRows, table: pd.DataFrame, threat: str) -> Iterator[str]:
    texts, part = rows.texts, table[(table["threat"] == threat) & (table["estimand"] == rows.lead)]
    for _, row in part[(part["quantity"] == "wald") & part["p"].notna()].iterrows():
        yield texts("programmes.threats.wald", p=_p(texts, row["p"]))
    for _, row in part[part["quantity"] == "breakdown"].iterrows():
        if pd.notna(row["value"]) and row["value"] > 0:
            digits = 2 if row["variant"] == "smooth" else 1
            yield texts(
                f"programmes.threats.breakdown.{row['variant']}",
                value=texts.number(row["value"], digits),
                assignment=rows.assignment,
            )
        elif row["variant"] == "relative" and (note := notes_in_words(rows, str(row["note"]))):
            yield note


def _placebo(rows: ProgrammeRows, table: pd.DataFrame, threat: str) -> Iterator[str]:
    texts, effects = rows.texts, effects_under(table, threat, rows.lead)
    for _, row in effects[effects["lower"].notna()].iterrows():
        holds = row["lower"] <= 0 <= row["upper"]
        about = variant_in_words(rows, row) if row["variant"] else rows.title(row["estimand"])
        yield texts(
            f"programmes.threats.placebo.{'holds' if holds else 'away'}.{rows.word}",
            about=about,
            estimate=difference_with_interval(texts, row),
            assignment=rows.assignment,
        )


def _anticipation(rows: ProgrammeRows, table: pd.DataFrame, threat: str) -> Iterator[str]:
    for _, row in _of(table, threat, rows.lead, "difference").iterrows():
        estimate = difference_with_interval(rows.texts, row)
        yield rows.texts("programmes.threats.wave_before", estimate=estimate, assignment=rows.assignment)
    yield from _moves(rows, table, threat)


def _shift(rows: ProgrammeRows, table: pd.DataFrame, threat: str) -> Iterator[str]:
    texts, part = rows.texts, table[table["threat"] == threat]
    lost = part[part["note"].str.split(";").map(lambda codes: "not_held" in codes)]
    tests = part[part["quantity"] == "difference_test"]
    levels = lost[lost["quantity"] == "difference_test"]
    if len(levels):
        # Levels below one that did not hold do not hold either: the first says it.
        yield texts("programmes.threats.not_held", levels=variant_in_words(rows, levels.iloc[0]))
    elif len(tests):
        yield texts("programmes.threats.held")
    yield from _beside_comparisons(rows, part[part["quantity"] == "shift"], lost)
    yield from _moves(rows, table, threat)


def _beside_comparisons(rows: ProgrammeRows, shift: pd.DataFrame, lost: pd.DataFrame) -> Iterator[str]:
    """Which items moved for exposed relations alone, and which everywhere."""
    texts = rows.texts
    shifted, drifted = (
        list(lost["variant"][lost["quantity"] == quantity]) for quantity in ("shift", "drift")
    )
    if shift["value"].notna().any():
        yield texts(
            "programmes.threats." + ("shifted" if shifted else "not_shifted"), items=texts.listing(shifted)
        )
        if alike := [item for item in drifted if item not in shifted]:
            yield texts("programmes.threats.drifted", items=texts.listing(alike))
    elif len(shift):
        why = notes_in_words(rows, str(shift["note"].iloc[0]))
        yield texts("programmes.threats.drift_unknown", why=why)


def _dropout(rows: ProgrammeRows, table: pd.DataFrame, threat: str) -> Iterator[str]:
    texts, part = rows.texts, table[table["threat"] == threat]
    left = part[(part["quantity"] == "share") & part["variant"].str.startswith("leavers")]["value"].dropna()
    if len(left):
        low, high = texts.percent(left.min()), texts.percent(left.max())
        span = low if low == high else texts("format.range", lower=low, upper=high)
        yield texts("programmes.threats.left", span=span)
    yield from _moves(rows, table, threat)
    for _, row in _of(table, threat, rows.lead, "tipping_point").iterrows():
        if row["mean"] != 0:
            side = "lower" if row["mean"] > 0 else "higher"
            yield texts(
                f"programmes.threats.tipping.{side}.{rows.word}", value=texts.number(abs(row["mean"]))
            )


def _selection(rows: ProgrammeRows, table: pd.DataFrame, threat: str) -> Iterator[str]:
    texts, part = rows.texts, table[table["threat"] == threat]
    for quantity in ("change", "difference"):
        by_variant = {
            row["variant"]: row
            for _, row in part[(part["quantity"] == quantity) & part["value"].notna()]
            .rename(columns={"value": "mean"})
            .iterrows()
        }
        if {"simulated", "observed"} <= set(by_variant) and (quantity == "change" or not rows.single):
            yield texts(
                f"programmes.threats.selection.{quantity}",
                simulated=difference_with_interval(texts, by_variant["simulated"]),
                observed=texts.signed(by_variant["observed"]["mean"]),
                p=_p(texts, by_variant["observed"]["p"]),
            )
            if "expected" in by_variant:
                yield texts(
                    "programmes.threats.selection.expected",
                    expected=texts.signed(by_variant["expected"]["mean"]),
                )
