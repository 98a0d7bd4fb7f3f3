"""Trusted data: tables are read, checked and turned into a `Survey`; nothing past here sees a raw file."""

from relcap_models.data.read import read_survey
from relcap_models.data.survey import Intake, Survey, Wave

__all__ = ["Intake", "Survey", "Wave", "read_survey"]
