"""The commands of `relcap`. Thin: each calls one function of the package and prints what came of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

import relcap_models
from relcap_models.cli.failures import headline, of_the_system
from relcap_models.cli.instruments import instruments_app
from relcap_models.cli.printed import display, power_table
from relcap_models.errors import RelcapError

DONE, CHECKS_FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="relcap",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="""From surveys of relations between units to relation scores with honest uncertainty.

    A study is a folder with a `study.yaml`, which says where the tables are, which instruments and waves
    they belong to, and what to analyse. Start with:

    \b
      relcap new mystudy        make a small study that works
      relcap validate mystudy   is everything in order?
      relcap run mystudy        fit, check, report

    Exit codes: 0 done, 1 a run failed its checks, 2 the input is wrong, 130 interrupted.
    """,
)
app.add_typer(instruments_app, name="instruments")

StudyArgument = Annotated[Path, typer.Argument(metavar="STUDY", help="Study folder, with a study.yaml.")]
ResultsArgument = Annotated[Path, typer.Argument(metavar="RESULTS", help="Results folder of a run.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE ...", help="Replace settings of study.yaml; may be repeated."),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="A running Dask scheduler.  [default: processes of this machine]"),
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Processes of this machine.  [default: one per processor]")
]
MoreSettings = Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE", hidden=True)]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"relcap {relcap_models.__version__}")
        raise typer.Exit


@app.callback()
def _relcap(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def new(name: Annotated[Path, typer.Argument(metavar="NAME", help="Folder to make.")]) -> None:
    """Make a small study that works, to be changed into yours.

    It has a `study.yaml` with comments, a `README.md`, and simulated tables in the form that yours need.

    \b
      relcap new mystudy
    """
    from relcap_models.study import new_study

    folder = new_study(name)
    typer.echo(f"Made {folder}. Next: relcap validate {folder}, then relcap run {folder}")


@app.command()
def validate(study: StudyArgument) -> None:
    """Check a study and its tables; print every problem at once.

    Each problem comes with file, row, column, value and what to do. Nothing is written.

    \b
      relcap validate mystudy
    """
    from relcap_models.study import validate_study

    typer.echo(validate_study(study))


@app.command()
def simulate(
    study: StudyArgument,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write DIR/data and DIR/truth.  [default: the study]")
    ] = None,
) -> None:
    """Make the tables that the study's `simulation:` describes, with the truth beside them.

    relcap simulate mystudy --out trial
    """
    from relcap_models.study import read_study, write_simulation

    read = read_study(study)
    data, truth = write_simulation(read, out or read.folder)
    typer.echo(f"Tables: {data}\nTruth:  {truth}")


@app.command()
def run(
    studies: Annotated[
        list[str], typer.Argument(metavar="STUDY", help="Study folder, with a study.yaml; or several.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Results folder.  [default: STUDY/results; of several studies: results/NAME of each]",
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="fast|nuts|both",
            help="Replaces `inference.engine`: nuts for what is published, fast for a look; both: nuts, and "
            "how far fast is from it.",
        ),
    ] = None,
    settings: SetOption = None,
    scheduler: SchedulerOption = None,
    workers: WorkersOption = None,
) -> None:
    """Fit the study's analyses, check them, and write tables, figures and report.

    Nothing is written outside the results folder. Previous results stay until the new ones are complete.
    Analyses are named by their id in `--set`; values are YAML. Several studies run side by side, each on one
    processor; those whose results are there already, from the same inputs, are not run again. The workers of
    a scheduler must see the folders under the same paths.

    \b
      relcap run mystudy
      relcap run mystudy --out trial --set analyses.relations.family=gaussian
      relcap run mystudy --engine fast --out look
      relcap run mystudy --set inference.draws=200 inference.tune=200
      relcap run north south west --out region
    """
    # `--set a=1 b=2`: what follows the first setting comes as arguments.
    more = [text for text in studies if "=" in text and not Path(text).exists()]
    studies = [text for text in studies if text not in more]
    if not studies or (more and not settings):
        raise typer.BadParameter("first the study, then --set and settings")
    overrides = [*(settings or ()), *more]
    try:
        if len(studies) > 1:
            _run_several(studies, out, engine, overrides, scheduler, workers)
        elif scheduler is not None or workers is not None:
            raise typer.BadParameter("--scheduler and --workers spread several studies; this is one")
        else:
            _run_one(studies[0], out, engine, overrides)
    except KeyboardInterrupt:
        typer.echo("Interrupted: this run is marked incomplete, previous results are as they were.", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _run_one(study: str, out: Path | None, engine: str | None, overrides: list[str]) -> None:
    from relcap_models.study import run_study

    result = run_study(study, out, engine=engine, overrides=overrides)
    for message in result.failed:
        typer.echo(f"CHECK FAILED: {message}", err=True)
    typer.echo(f"Report: {result.report.resolve()}")
    if not result.passed:
        typer.echo("The run failed its checks; do not rely on these results.", err=True)
        raise typer.Exit(CHECKS_FAILED)


def _run_several(
    studies: list[str],
    out: Path | None,
    engine: str | None,
    overrides: list[str],
    scheduler: str | None,
    workers: int | None,
) -> None:
    from relcap_models.study import run_studies

    found = run_studies(
        studies,
        out or Path("results"),
        engine=engine,
        overrides=overrides,
        scheduler=scheduler,
        workers=workers,
    )
    for line in found.notes:
        typer.echo(line, err=True)
    for name, result in found.results.items():
        for message in result.failed:
            typer.echo(f"CHECK FAILED: {name}: {message}", err=True)
        typer.echo(f"Report: {result.report}")
    for name, error in found.failed.items():
        typer.echo(f"NOT RUN: {name}: {error}", err=True)
    if found.failed:
        raise typer.Exit(WRONG_INPUT)
    if not all(result.passed for result in found.results.values()):
        raise typer.Exit(CHECKS_FAILED)


@app.command()
def report(results: ResultsArgument) -> None:
    """Write figures and report anew from saved tables, without sampling.

    relcap report mystudy/results
    """
    from relcap_models.study import report_again

    typer.echo(f"Report: {report_again(results).resolve()}")


@app.command()
def verify(
    results: ResultsArgument,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Run the study again and compare the tables.")
    ] = False,
) -> None:
    """Are results what their manifest says, and can they be reproduced?

    Compares the sha256 of every input and output. With `--rerun` the study runs again, elsewhere, from the
    settings that the manifest keeps, and its tables are compared.

    \b
      relcap verify mystudy/results --rerun
    """
    from relcap_models.study import verify_results

    verdict = verify_results(results, rerun=rerun)
    typer.echo("\n".join(verdict.lines))
    if not verdict.holds:
        raise typer.Exit(CHECKS_FAILED)


@contextmanager
def _resumable() -> Iterator[None]:
    """Ctrl-C ends many fits, and loses none that is done."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("Interrupted: the fits so far are kept; the same command goes on from there.", err=True)
        raise typer.Exit(INTERRUPTED) from None


@app.command()
def power(
    study: StudyArgument,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to write.  [default: STUDY/power]")
    ] = None,
    replicates: Annotated[int, typer.Option(help="Surveys of each design.")] = 20,
    engine: Annotated[
        str | None, typer.Option(metavar="fast|nuts", help="nuts takes hours.  [default: fast]")
    ] = None,
    scheduler: SchedulerOption = None,
    workers: WorkersOption = None,
    settings: SetOption = None,
    more: MoreSettings = None,
) -> None:
    """How precise would a planned survey be?

    Simulates surveys of each design that the study's `power:` lists (respondents, units, partners, waves),
    the rest as in its `simulation:`, and fits them. Tells how wide intervals and ranks of relations and units
    are, how many respondents reliability .70 takes, and how likely a change between waves is seen; each with
    its Monte Carlo error. Leadership links are not planned. A survey is written when it is fitted: the same
    command goes on where it was stopped.

    \b
      relcap power mystudy
      relcap power mystudy --set power.respondents=[5,10,20] power.partners=[4,9]
      relcap power mystudy --replicates 100 --scheduler tcp://cluster:8786
    """
    from relcap_models.study import power_study

    with _resumable():
        found = power_study(
            study,
            out,
            engine=engine,
            overrides=[*(settings or ()), *(more or ())],
            replicates=replicates,
            scheduler=scheduler,
            workers=workers,
        )
    for line in found.notes:
        typer.echo(line, err=True)
    for key, error in found.failed_fits.items():
        typer.echo(f"NOT FITTED: {key}: {error}", err=True)
    display(power_table(found.table))
    typer.echo(f"Table and figures: {found.folder.resolve()}")
    if found.failed_fits:
        raise typer.Exit(CHECKS_FAILED)


@app.command()
def calibrate(
    study: StudyArgument,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to write.  [default: STUDY/calibration]")
    ] = None,
    replicates: Annotated[int, typer.Option(help="Worlds of each analysis.")] = 100,
    engine: Annotated[
        str | None, typer.Option(metavar="fast|nuts", help="Replaces `inference.engine`.")
    ] = None,
    scheduler: SchedulerOption = None,
    workers: WorkersOption = None,
    settings: SetOption = None,
    more: MoreSettings = None,
) -> None:
    """Are the posteriors of the study's models right? Simulation-based calibration.

    Draws parameters and answers from the priors, on the study's own design, fits each such world with the
    study's settings, and ranks what is true among the posterior draws. Ranks that are not uniform mean that
    intervals are too narrow, too wide or shifted. A fit is written when it is ready: the same command goes on
    where it was stopped. Exit code 1 if something is not calibrated.

    \b
      relcap calibrate mystudy --engine fast
      relcap calibrate mystudy --replicates 200 --set inference.draws=500
      relcap calibrate mystudy --scheduler tcp://cluster:8786
    """
    from relcap_models.study import calibrate_study

    with _resumable():
        found = calibrate_study(
            study,
            out,
            engine=engine,
            overrides=[*(settings or ()), *(more or ())],
            replicates=replicates,
            scheduler=scheduler,
            workers=workers,
        )
    for line in found.notes:
        typer.echo(line, err=True)
    for line in found.failed:
        typer.echo(f"NOT CALIBRATED: {line}", err=True)
    n_passed = int(found.table["passed"].sum())
    typer.echo(f"{n_passed} of {len(found.table)} quantities are calibrated: {found.folder.resolve()}")
    if found.failed:
        raise typer.Exit(CHECKS_FAILED)


def main() -> None:
    """Run the command line; exits with the package's codes instead of tracebacks."""
    for stream in (sys.stdout, sys.stderr):
        # A Windows console in a legacy code page must not end a run on a unit's name.
        stream.reconfigure(errors="replace")
    try:
        app(standalone_mode=True)
    except RelcapError as error:
        typer.echo(f"{headline(error)}\n{error}", err=True)
        sys.exit(WRONG_INPUT)
    except OSError as error:
        if error.strerror is None:
            raise
        typer.echo(of_the_system(error), err=True)
        sys.exit(WRONG_INPUT)
