"""How the figures were made: model, priors, sampler, design, thresholds, sources."""

from __future__ import annotations

from collections.abc import Mapping

from relcap_models.report.blocks import (
    Block,
    Bullets,
    Column,
    Definitions,
    Heading,
    Paragraph,
    Section,
    Table,
)
from relcap_models.report.material import Analysis, Material
from relcap_models.report.sections.cells import count_cell, text_cell

_SOURCES = (
    "Bürkner, P.-C., & Vuorre, M. (2019). Ordinal regression models in psychology: A tutorial. "
    "Advances in Methods and Practices in Psychological Science, 2(1), 77–101.",
    "Chung, Y., Rabe-Hesketh, S., Dorie, V., Gelman, A., & Liu, J. (2013). A nondegenerate penalized "
    "likelihood estimator for variance parameters in multilevel models. Psychometrika, 78(4), 685–709.",
    "Gilmour, A. R., Thompson, R., & Cullis, B. R. (1995). Average information REML: An efficient algorithm "
    "for variance parameter estimation in linear mixed models. Biometrics, 51(4), 1440–1450.",
    "Gin, B., Sim, N., Skrondal, A., & Rabe-Hesketh, S. (2020). A dyadic IRT model. "
    "Psychometrika, 85(3), 815–836.",
    "Hoffman, M. D., & Gelman, A. (2014). The No-U-Turn sampler: Adaptively setting path lengths in "
    "Hamiltonian Monte Carlo. Journal of Machine Learning Research, 15, 1593–1623.",
    "Kass, R. E., & Steffey, D. (1989). Approximate Bayesian inference in conditionally independent "
    "hierarchical models (parametric empirical Bayes models). Journal of the American Statistical "
    "Association, 84, 717–726.",
    "Kenny, D. A., & La Voie, L. (1984). The social relations model. "
    "Advances in Experimental Social Psychology, 18, 141–182.",
    "Kruschke, J. K. (2021). Bayesian analysis reporting guidelines. Nature Human Behaviour, 5, 1282–1291.",
    "Liddell, T. M., & Kruschke, J. K. (2018). Analyzing ordinal data with metric models: What could "
    "possibly go wrong? Journal of Experimental Social Psychology, 79, 328–348.",
    "Minka, T. P. (2001). Expectation propagation for approximate Bayesian inference. "
    "Proceedings of the 17th Conference on Uncertainty in Artificial Intelligence, 362–369.",
    "Snijders, T. A. B., & Kenny, D. A. (1999). The social relations model for family data: "
    "A multilevel approach. Personal Relationships, 6(4), 471–486.",
    "Vehtari, A., Gelman, A., & Gabry, J. (2017). Practical Bayesian model evaluation using leave-one-out "
    "cross-validation and WAIC. Statistics and Computing, 27, 1413–1432.",
    "Vehtari, A., Gelman, A., Simpson, D., Carpenter, B., & Bürkner, P.-C. (2021). Rank-normalization, "
    "folding, and localization: An improved R-hat for assessing convergence of MCMC. "
    "Bayesian Analysis, 16(2), 667–718.",
)

_SHARED_CHAINS_SOURCES = (
    "Hoffman, M. D., Radul, A., & Sountsov, P. (2021). An adaptive-MCMC scheme for setting trajectory "
    "lengths in Hamiltonian Monte Carlo. Proceedings of Machine Learning Research, 130, 3907–3915.",
    "Seyboldt, A., Carlson, E. L., & Carpenter, B. (2026). Preconditioning Hamiltonian Monte Carlo by "
    "minimizing Fisher divergence. arXiv:2603.18845.",
)

_LINK_SOURCES = (
    "Cinelli, C., & Hazlett, C. (2020). Making sense of sensitivity: Extending omitted variable bias. "
    "Journal of the Royal Statistical Society: Series B, 82(1), 39–67.",
    "Gittell, J. H. (2002). Coordinating mechanisms in care provider groups: Relational coordination as a "
    "mediator and input uncertainty as a moderator of performance effects. Management Science, 48(11), "
    "1408–1426.",
    "Hamaker, E. L., Kuiper, R. M., & Grasman, R. P. P. P. (2015). A critique of the cross-lagged panel "
    "model. Psychological Methods, 20(1), 102–116.",
    "Imai, K., Keele, L., & Tingley, D. (2010). A general approach to causal mediation analysis. "
    "Psychological Methods, 15(4), 309–334.",
    "Lüdtke, O., Marsh, H. W., Robitzsch, A., Trautwein, U., Asparouhov, T., & Muthén, B. (2008). The "
    "multilevel latent covariate model: A new, more reliable approach to group-level effects in contextual "
    "studies. Psychological Methods, 13(3), 203–229.",
)

_PROGRAMME_SOURCES = (
    "Aronow, P. M., Samii, C., & Assenova, V. A. (2015). Cluster-robust variance estimation for dyadic data. "
    "Political Analysis, 23(4), 564–577.",
    "Callaway, B., & Sant’Anna, P. H. C. (2021). Difference-in-differences with multiple time periods. "
    "Journal of Econometrics, 225(2), 200–230.",
    "Campbell, M. K., Piaggio, G., Elbourne, D. R., & Altman, D. G. (2012). CONSORT 2010 statement: "
    "Extension to cluster randomised trials. BMJ, 345, e5661.",
    "Donald, S. G., & Lang, K. (2007). Inference with difference-in-differences and other panel data. "
    "Review of Economics and Statistics, 89(2), 221–233.",
    "Goodman-Bacon, A. (2021). Difference-in-differences with variation in treatment timing. "
    "Journal of Econometrics, 225(2), 254–277.",
    "Hemming, K., Taljaard, M., McKenzie, J. E., et al. (2018). Reporting of stepped wedge cluster "
    "randomised trials: Extension of the CONSORT 2010 statement with explanation and elaboration. BMJ, 363, "
    "k1614.",
    "Rambachan, A., & Roth, J. (2023). A more credible approach to parallel trends. "
    "Review of Economic Studies, 90(5), 2555–2591.",
    "von Elm, E., Altman, D. G., Egger, M., et al. (2007). The Strengthening the Reporting of Observational "
    "Studies in Epidemiology (STROBE) statement. PLoS Medicine, 4(10), e296.",
    "Wooldridge, J. M. (2021). Two-way fixed effects, the two-way Mundlak regression, and "
    "difference-in-differences estimators. SSRN 3906345.",
)


def method_section(material: Material) -> Section:
    texts = material.texts
    blocks: list[Block] = []
    for analysis in material.analyses:
        if len(material.analyses) > 1:
            blocks.append(Heading(texts("summary.about", title=analysis.title, id=analysis.id)))
        # What holds for several analyses is said once; what the design allows is said of each.
        blocks += [block for block in _about(analysis) if block not in blocks]
        blocks += _design(analysis)
        blocks += [block for block in _priors(analysis) if block not in blocks]
    blocks += _intake(material)
    beside = {"links": _LINK_SOURCES, "programmes": _PROGRAMME_SOURCES}
    sources = [*_SOURCES, *(one for kind in beside if material.context.get(kind) for one in beside[kind])]
    engines = [one.declared.get("engine", {}) for one in material.analyses]
    if any(engine.get("backend") == "jax" and engine.get("name") != "fast" for engine in engines):
        sources += _SHARED_CHAINS_SOURCES
    blocks += [Heading(texts("methods.sources")), Bullets(tuple(sorted(sources)))]
    return Section("methods", texts("methods.title"), tuple(blocks), "method")


def _about(analysis: Analysis) -> list[Block]:
    texts, declared = analysis.material.texts, analysis.declared
    model: Mapping = declared.get("model", {})
    kind = "climate" if analysis.kind == "climate" else "relations"
    family = str(model.get("family", "cumulative"))
    blocks: list[Block] = [
        Paragraph(texts(f"methods.model_{kind}")),
        Paragraph(texts.known(f"methods.family_{family}", family) + " " + texts("methods.score")),
    ]
    engine: Mapping = declared.get("engine", {})
    if engine:
        blocks.append(Paragraph(_engine(analysis, engine)))
    counts = [
        (texts(f"methods.{name}"), count_cell(texts, declared[name]).text)
        for name in ("n_respondents", "n_ratings", "n_responses", "n_units", "n_relations")
        if declared.get(name) is not None
    ]
    options = [
        (
            texts.known(f"options.{name}", name),
            texts.known(f"options.values.{value}", _written(value)),
        )
        for name, value in model.items()
        if name != "priors"
    ]
    blocks.append(Definitions(tuple(counts + options)))
    if declared.get("small_units_not_counted"):
        least = str(analysis.material.study.get("disclosure", {}).get("min_respondents_mean", 5))
        blocks.append(Paragraph(texts("methods.small_units", threshold=least)))
    return blocks


def _design(analysis: Analysis) -> list[Block]:
    texts = analysis.material.texts
    design = tuple(texts.say(message) for message in analysis.declared.get("design", ()))
    return [Paragraph(texts("methods.design"), "lead"), Bullets(design)] if design else []


def _priors(analysis: Analysis) -> list[Block]:
    texts, priors = analysis.material.texts, analysis.declared.get("priors", ())
    if not priors:
        return []
    columns = ("parameter", "prior", "meaning")
    return [
        Table(
            texts("methods.priors"),
            tuple(Column(texts(f"columns.{name}"), figures=False) for name in columns),
            tuple(tuple(text_cell(texts.say(prior[name])) for name in columns) for prior in priors),
            folded=texts.count("table.unfold", len(priors)),
        )
    ]


def _engine(analysis: Analysis, engine: Mapping) -> str:
    texts = analysis.material.texts
    known = {
        key: count_cell(texts, engine[key]).text if engine.get(key) is not None else "–"
        for key in ("chains", "draws", "tune")
    }
    target = engine.get("target_accept")
    if engine.get("name") == "fast":
        known["draws"] = count_cell(texts, engine["chains"] * engine["draws"]).text
    return texts(
        "methods.engine_fast" if engine.get("name") == "fast" else "methods.engine",
        sampler=texts(f"methods.sampler.{engine.get('backend', 'numba')}"),
        accept=texts.number(float(target)) if target is not None else "–",
        seed=str(analysis.material.study.get("seed", "–")),
        version=str(analysis.material.context.get("package_version", "")),
        ci=analysis.ci(analysis.table("unit_scores")),
        **known,
    )


def _written(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_written(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_written, value)) or "–"
    return "–" if value in (None, "") else str(value)


def _intake(material: Material) -> list[Block]:
    texts = material.texts
    intake = material.results.tables["intake"]
    notes = tuple(texts.say(note) for note in material.context.get("intake_notes", ()))
    blocks: list[Block] = []
    if not intake.empty or notes:
        blocks.append(Heading(texts("methods.intake")))
    if not intake.empty:
        kinds = ("read", "answers", "dont_know", "missing", "blank")
        titles = {str(i["id"]): texts.of(i.get("title")) for i in material.context.get("instruments", ())}
        blocks.append(
            Table(
                texts("methods.intake_table"),
                (
                    Column(texts("columns.instrument"), figures=False),
                    *(Column(texts(f"columns.{kind}")) for kind in kinds),
                ),
                tuple(
                    (
                        text_cell(titles.get(row["instrument"]) or row["instrument"]),
                        *(count_cell(texts, row[kind]) for kind in kinds),
                    )
                    for _, row in intake.iterrows()
                ),
                source="tables/intake.csv",
            )
        )
    return [*blocks, Bullets(notes)] if notes else blocks
