"""The checks of the run: failed ones first in the report, all of them near its end."""

from __future__ import annotations

import pandas as pd

from relcap_models.report.blocks import Block, Bullets, Cell, Column, Heading, Paragraph, Section, Table
from relcap_models.report.material import Material
from relcap_models.report.sections.cells import text_cell

# Part of a check's name → the advice under `advice.<key>`. First match wins.
_ADVICE = (
    ("fast", "fast"),
    ("hat", "rhat"),
    ("ess", "ess"),
    ("diverg", "divergences"),
    ("energy", "energy"),
    ("bfmi", "energy"),
    ("predictive", "fit"),
    ("ppc", "fit"),
    ("pareto", "loo"),
    ("loo", "loo"),
)


def failed_checks(material: Material) -> Section | None:
    """The warning above the results; None if every check passed."""
    texts = material.texts
    checks = material.results.tables["checks"]
    failed = checks[~checks["passed"]]
    if failed.empty:
        return None
    advice = dict.fromkeys(_advice(name) for name in failed["check"])
    blocks: list[Block] = [
        Paragraph(texts.count("failed.lead", len(failed), total=texts.whole(len(checks))), "lead"),
        Bullets(tuple(_sentence(material, row) for _, row in failed.iterrows())),
        Paragraph(texts("failed.what_to_do"), "lead"),
        Bullets(tuple(texts(f"advice.{key}") for key in advice)),
    ]
    return Section("failed-checks", texts("failed.title"), tuple(blocks))


def _advice(check: str) -> str:
    return next((key for part, key in _ADVICE if part in check.lower()), "other")


def _sentence(material: Material, row: pd.Series) -> str:
    message = _said(material, row)
    subject = row["analysis"]
    return material.texts("failed.item", analysis=subject, message=message) if subject else message


def _said(material: Material, row: pd.Series) -> str:
    """What a check found, in the report's language where its figures are at hand."""
    texts, key = material.texts, f"checks.said.{row['check']}"
    try:
        figures = {name: float(row[name]) for name in ("value", "threshold")}
    except ValueError:
        return texts("checks.withheld") if row["message"] else _bare(material, row)
    if key not in texts.strings or ("{subject}" in texts.strings[key] and not row["subject"]):
        return row["message"] or _bare(material, row)
    return texts.say({"key": key, "values": {**figures, "subject": _subject(material, row["subject"])}})


def _subject(material: Material, subject: str) -> str:
    """`u01, mean as rater`: what it is of the unit or item, in the report's language."""
    name, comma, what = subject.rpartition(", ")
    return name + comma + material.texts.known(f"checks.of.{what.replace(' ', '_')}", what)


def _bare(material: Material, row: pd.Series) -> str:
    return material.texts("failed.bare", check=row["check"], value=row["value"], threshold=row["threshold"])


def check_section(material: Material) -> Section:
    """The table of all checks."""
    texts = material.texts
    checks = material.results.tables["checks"]
    if checks.empty:
        return Section(
            "checks", texts("checks.title"), (Paragraph(texts("checks.nothing"), "note"),), "quality"
        )
    passed = int(checks["passed"].sum())
    rows = [
        (
            text_cell(row["analysis"]),
            text_cell(texts.known(f"checks.names.{row['check']}", row["check"])),
            _figure(material, row["value"]),
            Cell(texts("checks.passed" if row["passed"] else "checks.failed"), float(row["passed"])),
            text_cell(_said(material, row)),
        )
        for _, row in checks.iterrows()
    ]
    table = Table(
        texts("checks.table"),
        (
            Column(texts("columns.analysis"), figures=False),
            Column(texts("columns.check"), figures=False),
            Column(texts("columns.value")),
            Column(texts("columns.passed"), figures=False),
            Column(texts("columns.message"), figures=False),
        ),
        tuple(rows),
        folded="" if len(rows) <= 25 else texts.count("table.unfold", len(rows)),
        source="tables/checks.csv",
    )
    lead = Paragraph(texts("checks.how", passed=texts.whole(passed), total=texts.whole(len(checks))))
    return Section(
        "checks", texts("checks.title"), (lead, table, *_left_out(material), *_agreement(material)), "quality"
    )


def _agreement(material: Material) -> tuple[Block, ...]:
    """How far the fast engine is from the sampler, where both were run."""
    texts, agreement = material.texts, material.results.tables["agreement"]
    if agreement.empty:
        return ()

    # Every other kind of figure is the scores of units in one role.
    kinds = dict.fromkeys(("relation_scores", "effects", "parameters"), "checks.agreement_of")

    def figure(value: float, digits: int) -> Cell:
        return Cell(texts.number(value, digits), value)

    rows = [
        (
            text_cell(row["analysis"]),
            text_cell(texts(f"{kinds.get(row['quantity'], 'roles')}.{row['quantity']}")),
            figure(row["n"], 0),
            *(figure(row[name], 3) for name in ("mean_difference", "p95_difference", "max_difference")),
            figure(row["median_sd_ratio"], 2),
            figure(row["share_sd_ratio"], 2),
        )
        for _, row in agreement.iterrows()
    ]
    columns = (
        Column(texts("columns.analysis"), figures=False),
        Column(texts("columns.quantity"), figures=False),
        Column(texts("columns.n")),
        *(Column(texts(f"columns.difference_{name}")) for name in ("mean", "p95", "max")),
        Column(texts("columns.sd_ratio")),
        Column(texts("columns.sd_ratio_share")),
    )
    table = Table(texts("checks.agreement_table"), columns, tuple(rows), source="tables/agreement.csv")
    said = [Paragraph(texts("checks.agreement_how"))]
    if not material.results.tables["effect_agreement"].empty:
        said.append(Paragraph(texts("checks.agreement_effects")))
    return (Heading(texts("checks.agreement")), *said, table)


def _left_out(material: Material) -> tuple[Block, ...]:
    """How well each analysis predicts respondents who were left out."""
    texts, found = material.texts, material.results.tables["predictive_fit"]
    if found.empty:
        return ()

    def figure(value: float, digits: int) -> Cell:
        return Cell(texts.number(value, digits), value)

    rows = [
        (
            text_cell(row["analysis"]),
            *(figure(row[name], 1) for name in ("elpd", "se", "p_loo")),
            *(figure(row[name], 0) for name in ("n_kfold", "n_unreliable")),
            *(figure(row[name], 1) for name in ("elpd_diff", "se_diff")),
        )
        for _, row in found.iterrows()
    ]
    error = Column(texts("columns.standard_error"))
    columns = (
        Column(texts("columns.analysis"), figures=False),
        Column(texts("columns.elpd")),
        error,
        *(Column(texts(f"columns.{name}")) for name in ("p_loo", "kfold", "unreliable", "elpd_difference")),
        error,
    )
    table = Table(texts("checks.left_out_table"), columns, tuple(rows), source="tables/predictive_fit.csv")
    return (Heading(texts("checks.left_out")), Paragraph(texts("checks.left_out_how")), table)


def _figure(material: Material, value: str) -> Cell:
    try:
        number = float(value)
    except ValueError:
        return Cell(value or "–", muted=not value)
    digits = 0 if number.is_integer() else 3
    return Cell(material.texts.number(number, digits), number)
