"""Factor and structural equation models in lavaan's syntax."""

from relcap_models.psychometrics.structural.cfa import cfa, sem
from relcap_models.psychometrics.structural.compare import compare
from relcap_models.psychometrics.structural.result import CfaResult
from relcap_models.psychometrics.structural.sam import SamResult, sam

__all__ = ["CfaResult", "SamResult", "cfa", "compare", "sam", "sem"]
