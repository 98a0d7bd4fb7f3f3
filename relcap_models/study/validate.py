"""`relcap validate`: everything that is wrong with a study, or a short summary of what it holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from relcap_models import models
from relcap_models.data import Survey
from relcap_models.errors import ConfigError
from relcap_models.study.config import StudyConfig
from relcap_models.study.material import gather, problems_of_study
from relcap_models.study.read import Study, draft_study


def validate_study(path: Path | str, *, overrides: Sequence[str] = ()) -> str:
    """Check the study file, its instruments, its tables and what its design can carry.

    Returns
    -------
    A summary in lines of text: units, respondents and answers per instrument and wave, and a warning for
    everything that the design cannot tell apart.

    Raises
    ------
    RelcapError
        With every problem of the study file and its tables at once.
    """
    draft = draft_study(path, overrides=overrides)
    if draft.problems:
        raise ConfigError(problems=problems_of_study(draft))
    study = draft.study()
    material = gather(study)
    if study.config.links:
        # Imported here: most studies have none, and it takes a second.
        from relcap_models.study.links import check_links

        check_links(study.config, material.survey)
    programmes = check_programmes(study.config, material.survey)
    made = " (simulated: there are no tables yet)" if material.simulated is not None else ""
    designs = [
        f"  {analysis.id}: {message}"
        for analysis in study.config.models
        for message in models.describe_design(analysis, material.survey).messages
    ]
    designs += [f"  {line}" for line in programmes]
    lines = [f"{study.config.title}: in order{made}", *_summary(study, material.survey)]
    if designs:
        lines += ["What the design can carry:", *designs]
    return "\n".join(lines)


def check_programmes(config: StudyConfig, survey: Survey) -> list[str]:
    """What each programme's design is; those that the tables cannot tell of are refused.

    Raises
    ------
    DataError, FitError
        If answers, the programme, doses or components are absent, or nobody starts during the study.
    """
    lines = []
    for analysis in config.programmes:
        exposed = analysis.exposed(survey)
        models.check_design(analysis, exposed.frame)
        starting, never = exposed.exposure.n_clusters
        lines.append(
            f"{analysis.id}: {exposed.design.replace('_', ' ')}, {analysis.assignment}; "
            f"{exposed.exposure.assigned}s that start during the study: {starting}, that do not: {never}"
        )
    return lines


def _summary(study: Study, survey: Survey) -> list[str]:
    lines = [f"  {len(survey.units):,} units, waves {', '.join(wave.id for wave in survey.waves)}"]
    for name in study.instruments:
        answers = survey.of_instrument(name)
        unknown = int((survey.dont_know["instrument"] == name).sum())
        ratings = answers[["wave", "respondent_id", "rater_unit", "target_unit"]].drop_duplicates()
        lines.append(
            f"  {name}: {len(answers):,} answers in {len(ratings):,} ratings by "
            f"{ratings['respondent_id'].nunique():,} respondents of {ratings['rater_unit'].nunique():,} "
            f"units; {unknown:,} don't know"
        )
    return lines + [f"  note: {note}" for note in survey.intake.notes]
