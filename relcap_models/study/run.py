"""The stages of a run: from a study folder to a results folder."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from relcap_models import estimands, inference, models, psychometrics
from relcap_models.psychometrics.survey.equality import levels_held
from relcap_models.report.disclosure import apply_disclosure
from relcap_models.report.render import render_report
from relcap_models.seeds import child_seed
from relcap_models.simulate import write
from relcap_models.study import folder, manifest
from relcap_models.study.agreement import compare
from relcap_models.study.config import Model
from relcap_models.study.context import analysis_context, report_context
from relcap_models.study.links import check_links, link
from relcap_models.study.material import DATA, TRUTH, Material, gather, is_simulated
from relcap_models.study.programmes import programme
from relcap_models.study.read import Study, read_study
from relcap_models.study.tables import named_units, stack_tables, write_tables
from relcap_models.study.validate import check_programmes

STAGES = ("study", "tables", "design", "fit", "disclosure", "report", "manifest")


@dataclass(frozen=True)
class RunResult:
    """Where the results of a run are and whether they passed its checks.

    checks : `analysis, check, subject, value, threshold, passed, message`, one row per check.
    """

    folder: Path
    checks: pd.DataFrame = field(repr=False)

    @property
    def report(self) -> Path:
        return self.folder / "public" / "report.html"

    @property
    def failed(self) -> tuple[str, ...]:
        """What the failed checks say, each after its analysis, in their order."""
        return tuple(_failed(self.checks))

    @property
    def passed(self) -> bool:
        return not self.failed


def run_study(
    study: Study | Path | str,
    out: Path | str | None = None,
    *,
    engine: str | None = None,
    overrides: Sequence[str] = (),
    progress: bool = True,
) -> RunResult:
    """Run a study: fit its analyses, write their tables, apply disclosure control, check, report.

    Parameters
    ----------
    study : a study folder, or a `Study` as it was read
    out : results folder; nothing is written outside it. Default: `results` in the study folder
    engine : replaces `inference.engine` of the study file
    overrides : `key=value` settings that replace those of the study file, as `read_study` takes them
    progress : print the stages and the sampler's progress on standard error

    Returns
    -------
    RunResult. Failed checks do not raise: the results are written and say so on top.

    Raises
    ------
    ConfigError, DataError
        Before anything is written, with every problem of the study, its tables or its design.
    FitError
        If a model cannot be fitted. Previous results stay as they were.
    """
    log = _Log(console=Console(stderr=True, quiet=not progress, highlight=False))
    with log.stage("study"):
        if not isinstance(study, Study):
            engines = [f"inference.engine={engine}"] if engine else []
            study = read_study(study, overrides=[*overrides, *engines])
        elif engine or overrides:
            raise ValueError("engine and overrides change a study file; give its folder, not a Study")
    out = Path(out) if out is not None else study.folder / "results"
    with log.stage("tables"):
        material = gather(study)
        log.say(_counts(material))
    with log.stage("design"):
        designs = {}
        check_links(study.config, material.survey)
        for line in check_programmes(study.config, material.survey):
            log.say(line)
        for analysis in study.config.models:
            designs[analysis.id] = models.describe_design(analysis, material.survey)
            for message in designs[analysis.id].messages:
                log.say(f"{analysis.id}: {message}")
    return _run(study, material, designs, out=out, log=log)


def _run(
    study: Study, material: Material, designs: Mapping[str, models.Design], *, out: Path, log: _Log
) -> RunResult:
    work = folder.begin(out)
    record = manifest.opening(study, out=out)
    try:
        folder.mark_incomplete(out, record | {"status": folder.INCOMPLETE, "stage": "fit"})
        if material.simulated is not None:
            write(material.simulated, work / "restricted" / DATA, work / "restricted" / TRUTH)
        with log.stage("fit"):
            uncontrolled, contexts = _analyse(study, material, designs, work=work, log=log)
            write_tables(uncontrolled, work / "restricted" / "tables")
        with log.stage("disclosure"):
            public = apply_disclosure(uncontrolled, material.survey, study.config.disclosure)
            named = named_units(public, material.survey.units)
            write_tables({**public, "units": named}, work / "public" / "tables")
        result = RunResult(out, uncontrolled["checks"])
        with log.stage("report"):
            simulated = is_simulated(study, material)
            context = report_context(study, material.survey, contexts, simulated=simulated)
            folder.write_json(work / "restricted" / "context.json", context)
            render_report(work)
        with log.stage("manifest"):
            record |= {
                "outputs": manifest.output_files(work),
                "status": "passed" if result.passed else "failed checks",
                "checks": {
                    "passed": len(result.checks) - len(result.failed),
                    "failed": _failed(public["checks"]),
                },
            }
            manifest.write_manifests(work, record | {"seconds": log.seconds})
            folder.finish(out)
    except BaseException as error:
        how = "interrupted" if isinstance(error, KeyboardInterrupt) else "ended by an error"
        folder.mark_incomplete(out, record | {"status": folder.INCOMPLETE, "stage": log.current, "how": how})
        raise
    return result


def _analyse(
    study: Study, material: Material, designs: Mapping[str, models.Design], *, work: Path, log: _Log
) -> tuple[dict[str, pd.DataFrame], list[dict[str, Any]]]:
    """Examine and fit: uncontrolled tables with the checks, and what the report says about each model."""
    tables = [_examine(study, analysis, material, log=log) for analysis in study.config.psychometrics]
    left_out: dict[str, inference.LooResult] = {}
    contexts: list[dict[str, Any]] = []
    for analysis in study.config.models:
        log.say(f"{analysis.id}: {analysis.kind} of {analysis.instrument}")
        place = work / "restricted" / "posteriors" / analysis.id
        # Draws are streamed, so that what ends a run early does not take them with it, until they are saved.
        stream = place / "stream.zarr"
        stream.mkdir(parents=True)
        began = time.perf_counter()
        progress = not log.console.quiet
        fit = _fit(study, analysis, material, stream=stream, progress=progress)
        seconds = time.perf_counter() - began
        fit.save(place)
        if fit.settings["engine"] != "fast":
            folds = study.config.inference.kfold
            found = inference.cross_validate(fit, folds=folds, progress=progress)
            found.save(place)
            left_out[analysis.id] = found
            if found.not_refitted:
                log.say(f"Leave-one-out stays unreliable (respondents: {found.n_bad}). {found.not_refitted}")
        tables.append(_tables(study, material, fit, left_out.get(analysis.id)))
        if study.config.inference.engine == "both":
            tables[-1] |= compare(
                fit,
                material.survey,
                partial(_estimates, study, material),
                name=analysis.id,
                progress=progress,
                said=log.say,
            )
        shutil.rmtree(stream, ignore_errors=True)
        contexts.append(
            analysis_context(
                analysis,
                material.survey,
                designs[analysis.id],
                fit,
                rules=study.config.disclosure,
                seconds=seconds,
            )
        )
    for analysis in study.config.links:
        place = work / "restricted" / "posteriors" / analysis.id
        shown = not log.console.quiet
        tables.append(link(study, analysis, material, place=place, progress=shown, said=log.say))
    for analysis in study.config.programmes:
        place = work / "restricted" / "posteriors" / analysis.id
        shown = not log.console.quiet
        tables.append(programme(study, analysis, material, place=place, progress=shown, said=log.say))
    if left_out:
        by_name = {analysis.id: analysis for analysis in study.config.models}
        tables.append({"predictive_fit": inference.predictive_fit(by_name, left_out)})
    intake = material.survey.intake.by_instrument.rename_axis("instrument").reset_index()
    no_checks = {"checks": pd.DataFrame(columns=list(inference.CHECK_COLUMNS))}
    return {**no_checks, **stack_tables(tables), "intake": intake}, contexts


def _examine(
    study: Study, analysis: psychometrics.Psychometrics, material: Material, *, log: _Log
) -> dict[str, pd.DataFrame]:
    """The instruments' tables; which measured the same over waves, languages and layers is told."""
    tables = psychometrics.examine(
        analysis,
        material.survey,
        ci_prob=study.config.report.ci_prob,
        seed=study.config.seed,
        said=lambda text: log.say(f"{analysis.id}: {text}"),
    )
    for instrument, across, held, tested in levels_held(tables["psychometrics_invariance"]):
        log.say(
            f"{instrument} over {across}s: held at {', '.join(held) or 'no level'}"
            + (f"; not at {tested[len(held)]}" if len(held) < len(tested) else "")
        )
    return tables


def _tables(
    study: Study, material: Material, fit: inference.Fit, left_out: inference.LooResult | None
) -> dict[str, pd.DataFrame]:
    """Estimates, predictive distributions and checks of one fit."""
    limits, ci_prob = study.config.inference, study.config.report.ci_prob
    estimates = _estimates(study, material, fit)
    seed = int(fit.settings["seed"])
    replicates = inference.replicate(fit, seed=seed)
    checks = inference.checks(
        fit,
        estimates=estimates,
        max_rhat=limits.max_rhat,
        min_ess=limits.min_ess,
        replicates=replicates,
        left_out=left_out,
    )
    predicted = inference.item_distributions(fit, ci_prob=ci_prob, seed=seed, replicates=replicates)
    return {**estimates, "item_distributions": predicted, "checks": checks}


def _estimates(study: Study, material: Material, fit: inference.Fit) -> dict[str, pd.DataFrame]:
    targets, ci_prob = study.config.targets, study.config.report.ci_prob
    return estimands.tables(
        fit, material.survey, ci_prob=ci_prob, gap=targets.gap, goal=targets.change, k=targets.k
    )


def _fit(study: Study, analysis: Model, material: Material, *, stream: Path, progress: bool) -> inference.Fit:
    return inference.fit(
        analysis,
        material.survey,
        **study.config.inference.fit_settings(),
        seed=int(child_seed(study.config.seed, "fit", analysis.id).generate_state(1)[0]),
        progress=progress,
        store=stream,
    )


def _failed(checks: pd.DataFrame) -> list[str]:
    failed = checks[~checks["passed"].astype(bool)]
    return list(failed["analysis"].astype(str) + ": " + failed["message"])


def _counts(material: Material) -> str:
    survey = material.survey
    made = "simulated; " if material.simulated is not None else ""
    return (
        f"{made}{survey.responses['respondent_id'].nunique():,} respondents, {len(survey.units):,} units, "
        f"{len(survey.responses):,} answers, {len(survey.waves)} waves"
    )


@dataclass
class _Log:
    """What a run tells while it goes on, and how long its stages took."""

    console: Console
    current: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.current = name
        self.console.print(f"[{STAGES.index(name) + 1}/{len(STAGES)}] {name}", markup=False)
        began = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - began, 2)

    def say(self, text: str) -> None:
        self.console.print(f"      {text}", markup=False, soft_wrap=True)
