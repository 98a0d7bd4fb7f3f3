"""What a published mean gives away about the share of favourable answers.

Answers are whole numbers on a known scale and their number is known, so a mean is a sum. Close to an end of
the scale few ways are left to reach it: four answers of 5 and one of 4 are the only way to a mean of 4.8.
"""

from __future__ import annotations

import numpy as np


def favourable_range(
    n: np.ndarray, total: np.ndarray, minimum: np.ndarray, maximum: np.ndarray, cut: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fewest and most favourable answers that a sum of answers allows.

    Parameters
    ----------
    n : (row, scale) answers on each of several scales. total : (row,) their sum over all scales.
    minimum, maximum, cut : (scale,) ends of each scale, and its lowest favourable answer.

    Returns
    -------
    fewest, most : (row,), both equal if the mean says how many are favourable
    """
    room = total - n @ minimum
    most = np.zeros(len(n))
    for scale in np.argsort(cut - minimum):
        more = np.minimum(n[:, scale], np.floor(room / (cut - minimum)[scale] + 1e-9))
        most += more
        room = room - more * (cut - minimum)[scale]
    need = total - n @ (cut - 1)
    fewest = np.zeros(len(n))
    gain = maximum - cut + 1
    for scale in np.argsort(-gain):
        more = np.clip(np.ceil(need / gain[scale] - 1e-9), 0, n[:, scale])
        fewest += more
        need = need - more * gain[scale]
    return fewest, most
