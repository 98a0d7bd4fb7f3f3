"""Organisations with known truth: who works where, who rates whom, what they answer, and what was true.

`Simulation` is the `simulation:` block of a study file, `simulate` draws tables and truth, `write` saves
them. One idea per file: `organisation` (units, staff, moves), `nominations`, `sample` (who rates whom),
`units`, `effects` and `programmes` (what moves a rating), `story` (all of it for one instrument), `items` and
`answers`, `outcomes`, `truth` and `parameters`; `consistency` asks whether it all fits the study. Plain
NumPy; nothing here knows the models that are fitted later.
"""

from relcap_models.simulate.consistency import problems_of_simulation
from relcap_models.simulate.options import Simulation
from relcap_models.simulate.simulation import Simulated, simulate
from relcap_models.simulate.write import write

__all__ = ["Simulated", "Simulation", "problems_of_simulation", "simulate", "write"]
