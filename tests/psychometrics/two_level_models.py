"""Two-level models and data that the tests of several files share."""

import numpy as np
import pandas as pd

DEMO = """
level: 1
fw =~ y1 + y2 + y3
fw ~ x1 + x2 + x3
level: 2
fb =~ y1 + y2 + y3
fb ~ w1 + w2
"""
ONE = "level: 1\nf =~ y1 + y2 + y3 + y4\nlevel: 2\nf =~ y1 + y2 + y3 + y4\n"
WHOLE = """
level: 1
f =~ y1 + y2 + y3 + y4
g =~ z1 + z2 + z3
g ~ f + v
f ~ v
level: 2
fb =~ y1 + y2 + y3 + y4
gb =~ z1 + z2 + z3
gb ~ fb
fb ~ w
u ~ fb
"""
LABELLED = """
level: within
f =~ y1 + a*y2 + b*y3 + d*y4
f ~~ p*f
level: between
f =~ y1 + a*y2 + b*y3 + d*y4
f ~~ q*f
icc := q / (p + q)
a == b
"""


def simulated(seed: int, *, n_clusters: int = 80, smallest: int = 3, largest: int = 14) -> pd.DataFrame:
    """Two factors, f and g ~ f, at both levels; v within, w and u between clusters; rows shuffled."""
    rng = np.random.default_rng(seed)
    size = rng.integers(smallest, largest, size=n_clusters)
    c = np.repeat(np.arange(n_clusters), size)
    n = len(c)
    w, v = rng.normal(size=n_clusters), rng.normal(size=n)
    fb, fw = 0.4 * w + 0.7 * rng.normal(size=n_clusters), 0.4 * v + rng.normal(size=n)
    gb, gw = 0.5 * fb + 0.6 * rng.normal(size=n_clusters), 0.3 * fw + 0.8 * rng.normal(size=n)
    data = {}
    for i, loading in enumerate([1, 0.8, 0.7, 0.9], start=1):
        own = 0.4 * rng.normal(size=n_clusters)[c] + 0.8 * rng.normal(size=n)
        data[f"y{i}"] = 1 + i / 2 + loading * (fw + fb[c]) + own
    for i, loading in enumerate([1, 0.8, 0.7], start=1):
        own = 0.3 * rng.normal(size=n_clusters)[c] + 0.7 * rng.normal(size=n)
        data[f"z{i}"] = i / 3 + loading * (gw + gb[c]) + own
    data |= {"v": v, "w": w[c] - 2, "u": (0.5 * fb + rng.normal(size=n_clusters))[c]}
    data |= {"cluster": np.char.add("c", c.astype(str)), "half": np.where(c % 2 == 0, "a", "b")}
    return pd.DataFrame(data).iloc[rng.permutation(n)].reset_index(drop=True)
