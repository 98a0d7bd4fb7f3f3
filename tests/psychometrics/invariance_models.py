"""Models of measurement invariance that the tests of several files share."""

import pandas as pd

AGREEABLE = [f"A{i}" for i in range(1, 6)]
A = "A =~ A1 + A2 + A3 + A4 + A5"
TWO = "FU1 =~ u1 + u2 + u3 + u4\nFU2 =~ u5 + u6 + u7 + u8"
WAVES = [{f"u{i}": f"u{i + 4 * wave}" for i in range(1, 5)} for wave in (0, 1)]
HOLZINGER = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
NAMES = ["chisq", "df", "chisq.scaled", "cfi.scaled", "rmsea.scaled", "srmr"]


def with_few_categories(
    data: pd.DataFrame, two: list[str], three: dict[str, tuple[int, int]], above: int
) -> pd.DataFrame:
    """Items cut in two above a limit, and items with their ends collapsed."""
    found = data.copy()
    found[two] = (data[two] > above).astype(int)
    for item, (lowest, highest) in three.items():
        found[item] = data[item].clip(lowest, highest)
    return found
