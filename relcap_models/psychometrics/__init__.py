"""Psychometrics: reliability, factor analysis, item response theory, invariance and agreement.

Pure functions: a DataFrame (or array) of answers in, a small frozen result or a tidy table out. None of them
needs a study.
"""
