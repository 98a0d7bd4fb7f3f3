"""What the package offers are functions, whatever has been imported before."""

import importlib
import pkgutil

from relcap_models import psychometrics


def test_no_module_hides_a_function_of_its_name():
    for module in pkgutil.walk_packages(psychometrics.__path__, "relcap_models.psychometrics."):
        importlib.import_module(module.name)
    for name in psychometrics.__all__:
        assert callable(getattr(psychometrics, name)), name
