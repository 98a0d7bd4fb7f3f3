"""Disclosure control and the report: figures, texts in three languages, one self-contained page."""
