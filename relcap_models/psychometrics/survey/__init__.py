"""The instruments of a survey examined: analysis kind `psychometrics`.

answers        the ratings of one instrument as a table of items, and the groups they fall into
items          distributions, and each item beside the rest of its dimension
measurement    the factor model of each wave
reliability    of ratings and of what they are about, with intervals
equality       whether the instrument measures the same over waves, languages and layers
information    where along the trait the items tell most
examination    all of it, as tables
"""

from relcap_models.psychometrics.survey.declaration import Psychometrics
from relcap_models.psychometrics.survey.examination import examine

__all__ = ["Psychometrics", "examine"]
