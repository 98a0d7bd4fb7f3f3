"""Whether an instrument measures what it is meant to, in a section for each.

examined     an instrument's rows of the tables, and words
items        answers to the items, and where they inform
factors      the factor model and its fit
reliability  by level, dimension and group
equality     invariance, its impact on means, and items answered in a group's own way
notes        what was done on the way
sections     all of it
"""
