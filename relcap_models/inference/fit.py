"""A fitted model: options, frame, draws. The only object that estimands need."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from relcap_models.data.survey import Survey
from relcap_models.errors import FitError
from relcap_models.inference.kept import coordinates
from relcap_models.models import MODELS
from relcap_models.models.design import check_design
from relcap_models.models.frame import Frame
from relcap_models.models.rating_model import RatingModel
from relcap_models.models.structure import Structure

ENGINES = ("nuts", "fast")
BACKENDS = ("numba", "jax")


@dataclass(frozen=True)
class Fit:
    """Posterior draws of one model on one survey.

    tree : groups `posterior` (dimensions chain, draw, …; see `kept.KEPT_DIMS`), and `sample_stats` of NUTS or
    `approximation` of the fast engine.
    settings : engine, backend, chains, draws, tune, target_accept, seed.
    """

    model: RatingModel
    frame: Frame
    structure: Structure
    tree: xr.DataTree
    settings: Mapping[str, Any]

    @property
    def posterior(self) -> xr.Dataset:
        return self.tree["posterior"].to_dataset()

    @property
    def n_chains(self) -> int:
        return self.tree["posterior"].sizes["chain"]

    @property
    def n_draws(self) -> int:
        """Draws per chain."""
        return self.tree["posterior"].sizes["draw"]

    def draws(self, name: str) -> np.ndarray:
        """(S, …) draws of a kept quantity, chain after chain, S = chains × draws."""
        values = self.tree["posterior"][name].transpose("chain", "draw", ...).to_numpy()
        return values.reshape(-1, *values.shape[2:])

    def save(self, folder: Path) -> None:
        """Write the draws as netCDF and the options as JSON to a new folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self.tree.to_netcdf(folder / "posterior.nc", engine="h5netcdf")
        about = {"model": self.model.model_dump(mode="json"), "settings": dict(self.settings)}
        (folder / "fit.json").write_text(json.dumps(about, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, survey: Survey) -> Fit:
        """The fit that `save` wrote, on the survey it was made from.

        Raises
        ------
        FitError
            If the folder holds no fit, or one of another survey.
        """
        try:
            about = json.loads((folder / "fit.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise FitError(f"{folder} holds no saved fit (fit.json is missing)") from None
        kinds = {model.model_fields["kind"].default: model for model in MODELS}
        model = kinds[about["model"]["kind"]].model_validate(about["model"])
        frame = model.frame(survey)
        structure = model.structure(frame)
        tree = xr.open_datatree(folder / "posterior.nc", engine="h5netcdf").load()
        tree.close()
        if list(tree["posterior"].coords["unit"].to_numpy()) != coordinates(frame, structure)["unit"]:
            raise FitError(f"{folder} holds a fit of another survey: its units differ")
        return cls(model, frame, structure, tree, about["settings"])


def fit(
    model: RatingModel,
    survey: Survey,
    *,
    engine: str = "nuts",
    backend: str = "numba",
    seed: int,
    chains: int = 4,
    draws: int = 1000,
    tune: int = 1000,
    target_accept: float = 0.8,
    progress: bool = True,
    store: Path | None = None,
) -> Fit:
    """Draw from the posterior of a model given a survey.

    Parameters
    ----------
    engine : `nuts` (nutpie's No-U-Turn sampler), or `fast` (a Gaussian approximation in seconds, for looking:
        see `inference.fast.engine`)
    backend : `numba` on processors, or `jax` for a graphics processor (the extra `relcap-models[jax]`): all
        chains at once by Hamiltonian Monte Carlo, see `inference.jax_chains`
    chains, draws, tune : chains, and kept and warm-up draws of each; the fast engine's draws are independent
    store : folder to which the draws are streamed while sampling; None keeps them in memory

    Raises
    ------
    FitError
        If engine or backend are unknown or not installed, the design cannot carry the model, or the sampler
        cannot start.
    """
    if engine not in ENGINES:
        raise FitError(f"There is no engine '{engine}': use one of {', '.join(ENGINES)}")
    if backend not in BACKENDS:
        raise FitError(f"There is no backend '{backend}': use one of {', '.join(BACKENDS)}")
    frame = model.frame(survey)
    check_design(model, frame)
    settings = {
        "engine": engine,
        "backend": backend,
        "chains": chains,
        "draws": draws,
        "tune": tune,
        "target_accept": target_accept,
        "seed": seed,
    }
    return fit_frame(model, frame, settings, progress=progress, store=store)


def fit_frame(
    model: RatingModel,
    frame: Frame,
    settings: Mapping[str, Any],
    *,
    progress: bool = True,
    store: Path | None = None,
) -> Fit:
    """As `fit`, on a frame: `settings` as a `Fit` has them."""
    structure = model.structure(frame)
    if settings["engine"] == "fast":
        from relcap_models.inference.fast.engine import sample as approximate
        from relcap_models.inference.progress import round_progress

        shape = {name: settings[name] for name in ("chains", "draws", "seed")}
        with round_progress(shown=progress) as report:
            tree = approximate(model, frame, structure, **shape, progress=report)
        return Fit(model, frame, structure, tree, settings)

    from relcap_models.inference.geometry import observe_ratings

    options = {name: settings[name] for name in ("chains", "draws", "tune", "target_accept", "seed")}
    options |= {"progress": progress, "store": store}
    density = partial(model.density, frame, observe_ratings(model, frame))
    labels = coordinates(frame, structure)
    if settings.get("backend") == "jax":
        return Fit(model, frame, structure, _jax_sampler()(density, labels, **options), settings)
    from relcap_models.inference.nuts import sample

    return Fit(model, frame, structure, sample(density, labels, **options), settings)


def _jax_sampler() -> Callable[..., xr.DataTree]:
    try:
        from relcap_models.inference.jax_chains import sample
    except ModuleNotFoundError:
        raise FitError(
            "inference.backend: jax is not installed. Install it with `pip install relcap-models[jax]`, for "
            "an NVIDIA GPU with `pip install relcap-models[jax] jax[cuda13]`, or use the backend numba"
        ) from None
    return sample
