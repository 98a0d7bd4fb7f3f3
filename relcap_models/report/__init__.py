"""Disclosure control and the report: figures, texts in three languages, one self-contained page."""

from relcap_models.report.render import render_report

__all__ = ["render_report"]
