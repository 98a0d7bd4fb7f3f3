"""The factor model of an instrument, and how it fits."""

from __future__ import annotations

from relcap_models.report.blocks import Block, Column, Heading, Paragraph, Picture, Table
from relcap_models.report.figures.psychometrics import draw_loadings
from relcap_models.report.sections.cells import count_cell, interval_cell, number_cell, text_cell
from relcap_models.report.sections.psychometrics.examined import Examined, estimate_cell


def factor_blocks(of: Examined) -> list[Block]:
    texts, fit = of.texts, of.table("fit")
    parameters = of.everybody("parameters")
    blocks: list[Block] = [Heading(texts("psychometrics.factors"))]
    if fit.empty or parameters.empty:
        return [*blocks, Paragraph(texts("psychometrics.no_factors"), "note")]
    blocks.append(Paragraph(texts("psychometrics.factors_how")))
    correlations = parameters[parameters["parameter"] == "correlation"]
    levels = of.everybody("levels").dropna(subset=["estimate"]).set_index(["dimension", "level"])
    for _, row in correlations.iterrows():
        sentence = texts(
            "psychometrics.correlation",
            dimensions=of.analysis.dimension(row["dimension"]),
            value=texts.number(row["estimate"]),
            interval=texts.interval(row["lower"], row["upper"]),
        )
        both = [(row["dimension"], level) for level in ("within", "between")]
        if all(place in levels.index for place in both):
            within, between = (levels.loc[place] for place in both)
            sentence += " " + texts(
                "psychometrics.correlation_levels",
                within=texts.number(within["estimate"]),
                within_interval=texts.interval(within["lower"], within["upper"]),
                between=texts.number(between["estimate"]),
                between_interval=texts.interval(between["lower"], between["upper"]),
            )
        blocks.append(Paragraph(sentence))
    items = [i for i in of.analysis.items if i in set(parameters["item"])]
    loadings = parameters[parameters["parameter"] == "loading"]
    low, high = loadings["estimate"].min(), loadings["estimate"].max()
    blocks.append(
        Picture(
            of.picture("loadings"),
            lambda theme: draw_loadings(theme, texts, parameters, items=items),
            alt=texts("psychometrics.loadings_alt", low=texts.number(low), high=texts.number(high)),
            caption=texts("psychometrics.loadings_caption", ci=of.analysis.ci(loadings)),
            narrow=True,
        )
    )
    # Counts are withheld where they would tell a small unit's.
    counted = fit["n_ratings"].notna().any()
    rows = [
        (
            text_cell(of.group(row["split"], row["group"])),
            *([count_cell(texts, row["n_ratings"])] if counted else []),
            number_cell(texts, row["chisq"], digits=1),
            number_cell(texts, row["df"], digits=0),
            number_cell(texts, row["p"], digits=3),
            number_cell(texts, row["cfi"], digits=3),
            number_cell(texts, row["rmsea"], digits=3),
            interval_cell(texts, row["rmsea_lower"], row["rmsea_upper"], digits=3),
            number_cell(texts, row["srmr"], digits=3),
        )
        for _, row in fit.iterrows()
    ]
    names = ("chisq", "df", "p", "cfi", "rmsea", "rmsea_interval", "srmr")
    columns = (
        Column(texts("psychometrics.column_group"), figures=False),
        *([Column(texts("psychometrics.column_ratings"))] if counted else []),
        *(Column(texts(f"psychometrics.column_{name}")) for name in names),
    )
    source = "tables/psychometrics_fit.csv"
    blocks.append(Table(texts("psychometrics.fit_table"), columns, tuple(rows), source=source))
    return blocks + _levels_of_groups(of)


def _levels_of_groups(of: Examined) -> list[Block]:
    """Correlations within and between what is rated, of each wave, language and layer."""
    texts, levels = of.texts, of.table("levels").dropna(subset=["estimate"])
    levels = levels[levels["split"] != "survey"]
    if levels.empty:
        return []
    rows = []
    for (split, group, dimension), part in levels.groupby(["split", "group", "dimension"], sort=False):
        by_level = part.set_index("level")
        cells = [estimate_cell(texts, by_level, level) for level in ("within", "between")]
        rows.append((text_cell(of.group(split, group)), text_cell(of.analysis.dimension(dimension)), *cells))
    columns = (
        Column(texts("psychometrics.column_group"), figures=False),
        Column(texts("columns.dimension"), figures=False),
        Column(texts("psychometrics.column_within")),
        Column(texts("psychometrics.column_between")),
    )
    unfold = texts.count("table.unfold", len(rows))
    caption = texts("psychometrics.levels_groups")
    return [Table(caption, columns, tuple(rows), folded=unfold, source="tables/psychometrics_levels.csv")]
