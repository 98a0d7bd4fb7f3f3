"""A study: its file, its tables, the stages of its run, and the manifest of what came out.

Names are looked up when they are used: reading and validating a study needs no sampler and no report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relcap_models.lazy import lookup

if TYPE_CHECKING:
    from relcap_models.study.again import report_again
    from relcap_models.study.calibrate import Calibration, calibrate_study
    from relcap_models.study.config import StudyConfig
    from relcap_models.study.create import new_study
    from relcap_models.study.material import Material, gather, write_simulation
    from relcap_models.study.power import Power, power_study
    from relcap_models.study.read import Study, read_study
    from relcap_models.study.run import RunResult, run_study
    from relcap_models.study.several import Runs, run_studies
    from relcap_models.study.validate import validate_study
    from relcap_models.study.verify import Verdict, verify_results

_HOME = {
    "Calibration": "calibrate",
    "Material": "material",
    "Power": "power",
    "RunResult": "run",
    "Runs": "several",
    "Study": "read",
    "StudyConfig": "config",
    "Verdict": "verify",
    "calibrate_study": "calibrate",
    "gather": "material",
    "new_study": "create",
    "power_study": "power",
    "read_study": "read",
    "report_again": "again",
    "run_studies": "several",
    "run_study": "run",
    "validate_study": "validate",
    "verify_results": "verify",
    "write_simulation": "material",
}

__all__ = [
    "Calibration",
    "Material",
    "Power",
    "RunResult",
    "Runs",
    "Study",
    "StudyConfig",
    "Verdict",
    "calibrate_study",
    "gather",
    "new_study",
    "power_study",
    "read_study",
    "report_again",
    "run_studies",
    "run_study",
    "validate_study",
    "verify_results",
    "write_simulation",
]

__getattr__ = lookup(__name__, _HOME)
