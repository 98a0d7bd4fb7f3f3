"""What the fast engine says of a link beside NUTS, by the table of `link_nuts`."""

import numpy as np
import pandas as pd
import pytest

from tests.recovery.link_nuts import BY, CONFIRMED, MEASURED, agreement

# Of one data set, where NUTS' 1,200 draws are worth 400 or more: means to 1/√400 of a posterior sd, and a
# 2.5 % quantile to √(.025·.975/400)/φ(1.96) = .13, so that the logarithm of a width of 3.92 is known to .05.
# The fast engine's 1,200 draws are independent: .03 and .03.
ERROR_OF_MEAN, ERROR_OF_WIDTH = 0.06, 0.06


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(MEASURED)


def test_three_cells_were_sampled(table):
    assert set(table["cell"]) == {cell.name for cell in CONFIRMED}
    assert not table.duplicated(["seed", *BY]).any()


def test_posterior_means_are_those_of_the_sampler(table):
    """The engine's stated error of covariances is .3 posterior sds."""
    found = agreement(table)
    assert (found["apart"].abs() < 0.3 + 3 * ERROR_OF_MEAN / np.sqrt(found["data_sets"])).all()


def test_intervals_are_as_wide_as_the_samplers_with_sixty_units(table):
    found = agreement(table)
    found = found[found["cell"].str.contains("-60-")]
    assert len(found) == 5
    error = 3 * ERROR_OF_WIDTH / np.sqrt(found["data_sets"])
    assert (found["log_width"].abs() < np.log(1.15) + error).all()


def test_intervals_are_too_narrow_with_twenty_units_as_the_engine_says(table):
    found = agreement(table)
    found = found[found["cell"].str.contains("-20-")]
    assert len(found) == 2
    error = ERROR_OF_WIDTH / np.sqrt(found["data_sets"])
    assert (found["log_width"] < -2 * error).any()
    assert (found["log_width"] > np.log(0.7) - 3 * error).all()


@pytest.mark.parametrize("engine", ["fast", "nuts"])
def test_intervals_hold_the_truth(table, engine):
    """Where it is what the slope estimates: lenient staff bias what is not adjusted, and the same source."""
    told = table["adjusted"] | ~table["cell"].str.startswith("leniency")
    found = agreement(table[told & (table["source"] == "different")])
    # Both adjustments are of one data set.
    n = found.groupby("cell")["data_sets"].first().sum()
    share = np.average(found[f"{engine}_coverage"], weights=found["data_sets"])
    assert share > 0.95 - 3 * np.sqrt(0.95 * 0.05 / n)
