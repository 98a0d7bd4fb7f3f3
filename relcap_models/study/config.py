"""The study file as an object: what is asked of which tables, with which settings."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from relcap_models.models import Climate, LeadershipLink, ProgrammeEffect, Relation
from relcap_models.psychometrics.survey.declaration import Psychometrics
from relcap_models.report.disclosure import Disclosure
from relcap_models.schema.instrument import Declaration
from relcap_models.simulate import Simulation

Model = Relation | Climate
Analysis = Annotated[Model | LeadershipLink | ProgrammeEffect | Psychometrics, Field(discriminator="kind")]

NOT_BUILT_KINDS = ("prioritisation",)

# Reserved on Windows whatever the extension; a study must run there too.
_DEVICE_NAMES = {"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))}


def _file_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", name):
        raise ValueError(
            "names files, so use letters a-z, digits, _ and - (at most 64, not beginning with -)"
        )
    if name.lower() in _DEVICE_NAMES:
        raise ValueError("is a name that Windows keeps for a device; choose another")
    return name


FileName = Annotated[str, AfterValidator(_file_name)]


class Tables(Declaration):
    """Where the tables stand, relative to the study folder. CSV or Parquet."""

    responses: str
    units: str | None = None
    respondents: str | None = None
    nominations: str | None = None
    programmes: str | None = None
    outcomes: str | None = None


class WaveDeclaration(Declaration):
    """One round of the survey."""

    id: str = Field(min_length=1)
    date: str = Field("", description="when it was held, as the report should print it: '2024-03'")


class Inference(Declaration):
    """How the posterior is computed, and when it counts as converged."""

    engine: Literal["nuts", "fast", "both"] = Field(
        "nuts",
        description="nuts for what is published, fast for a look; both: nuts, and how far fast is from it",
    )
    backend: Literal["numba", "jax"] = Field(
        "numba",
        description="jax samples all chains at once on a graphics processor (16 chains, tune: 200)",
    )
    chains: int = Field(4, ge=2, description="R-hat needs at least two")
    draws: int = Field(1000, ge=25, description="kept draws of each chain; the checks need 25")
    tune: int = Field(1000, ge=10, description="warm-up draws of each chain, thrown away")
    target_accept: float = Field(0.9, gt=0.5, lt=1)
    max_rhat: float = Field(1.01, gt=1, description="a reported figure above it fails the run's checks")
    min_ess: float = Field(
        400, gt=0, description="a reported figure with less bulk or tail ESS fails the checks"
    )
    kfold: int = Field(
        5,
        ge=0,
        description="respondents for whom leave-one-out fails (large Pareto k) are left out in so many "
        "groups, in fits of the fast engine; 0 leaves them as they are",
    )

    def fit_settings(self) -> dict[str, Any]:
        """What `inference.fit` takes of it; of `both` engines the sampler's."""
        names = ("backend", "chains", "draws", "tune", "target_accept")
        engine = "fast" if self.engine == "fast" else "nuts"
        return {"engine": engine, **{name: getattr(self, name) for name in names}}


class Targets(Declaration):
    """What would count, decided before the results are seen. Differences in points of the response scale."""

    gap: float = Field(0.5, gt=0, description="perception gaps beyond this size matter: P(|gap| > gap)")
    change: float = Field(0.0, ge=0, description="the goal for a change over waves: P(change > goal)")
    k: int = Field(
        10, ge=1, description="P(among the k lowest) and P(among the k highest) of relations and units"
    )


class Plan(Declaration):
    """The designs that `relcap power` compares: every combination of what is listed.

    The rest is as in the study's `simulation:`.

        power: {respondents: [5, 10, 20], partners: [4, 9]}
    """

    respondents: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (5, 10, 20, 40),
        min_length=1,
        description="people asked in a unit, on average; `simulation.nonresponse` says how many answer",
    )
    units: tuple[Annotated[int, Field(ge=2)], ...] = Field(
        (), description="left out: as many as the simulation has"
    )
    partners: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (), description="units that a unit nominates, on average; left out: as in the simulation"
    )
    waves: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (), description="how many; left out: those of the study"
    )
    districts: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (), description="the clusters of programmes for whole districts; left out: as in the simulation"
    )
    changes: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0),
        description="from the first to the last wave, and effects of programmes, in points: how likely is "
        "each to be seen?",
    )


class ReportOptions(Declaration):
    """For whom the report is written, in which language, with which intervals."""

    audience: Literal["researcher", "leader"] = "researcher"
    language: Literal["en", "da", "nb"] = "en"
    ci_prob: float = Field(0.9, gt=0, lt=1, description="probability of every interval")


class StudyConfig(Declaration):
    """A study: tables, instruments, waves, analyses and how to report them (`study.yaml`)."""

    name: FileName
    title: str = Field(min_length=1)
    seed: int = Field(ge=0, lt=2**63, description="all randomness comes from it")
    tables: Tables | None = Field(None, description="left out: every table that stands in the folder data/")
    instruments: tuple[str, ...] = Field(
        min_length=1,
        description="ids of shipped instruments, or paths of instrument files in the study folder",
    )
    waves: tuple[WaveDeclaration, ...] = Field(min_length=1, description="in order of time")
    analyses: tuple[Analysis, ...] = Field(min_length=1)
    inference: Inference = Inference()
    disclosure: Disclosure = Disclosure()
    report: ReportOptions = ReportOptions()
    targets: Targets = Targets()
    power: Plan | None = Field(
        None, description="what `relcap power` compares; left out: 5 to 40 respondents"
    )
    simulation: Simulation | None = Field(
        None, description="the tables are simulated from it where they are absent"
    )

    @property
    def models(self) -> tuple[Model, ...]:
        """The analyses that fit a model of the ratings on one instrument."""
        return tuple(a for a in self.analyses if isinstance(a, Relation | Climate))

    @property
    def links(self) -> tuple[LeadershipLink, ...]:
        """The analyses that link leadership with how others experience a unit."""
        return tuple(a for a in self.analyses if isinstance(a, LeadershipLink))

    @property
    def programmes(self) -> tuple[ProgrammeEffect, ...]:
        """The analyses that ask what a programme did."""
        return tuple(a for a in self.analyses if isinstance(a, ProgrammeEffect))

    @property
    def psychometrics(self) -> tuple[Psychometrics, ...]:
        """The analyses that examine instruments."""
        return tuple(a for a in self.analyses if isinstance(a, Psychometrics))
