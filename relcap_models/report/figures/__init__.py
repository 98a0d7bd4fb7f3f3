"""One figure per file. Each function takes a `Theme` and tidy figures, and returns a matplotlib `Figure`.

Figures are drawn twice, for light and for dark paper. Nothing here computes an estimate.
"""
