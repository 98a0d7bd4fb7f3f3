"""Factor and structural equation models in lavaan's syntax."""

from relcap_models.psychometrics.sem.cfa import cfa, sem
from relcap_models.psychometrics.sem.compare import compare
from relcap_models.psychometrics.sem.invariance import Invariance, invariance
from relcap_models.psychometrics.sem.result import CfaResult
from relcap_models.psychometrics.sem.sam import SamResult, sam

__all__ = ["CfaResult", "Invariance", "SamResult", "cfa", "compare", "invariance", "sam", "sem"]
