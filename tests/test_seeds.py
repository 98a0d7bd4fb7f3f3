import subprocess
import sys

import numpy as np

from relcap_models.seeds import child_seed, generator


def test_a_stage_has_the_same_numbers_in_every_process():
    """Python salts `hash` per process; the streams must not depend on it."""
    code = "from relcap_models.seeds import generator; print(generator(7, 'a', 'b').integers(1 << 60))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(other.stdout) == generator(7, "a", "b").integers(1 << 60)


def test_stages_and_seeds_have_streams_of_their_own():
    stages = [(7, "a", "b"), (7, "a", "c"), (7, "ab"), (7, "a", "b", ""), (8, "a", "b")]
    draws = {int(generator(*stage).integers(1 << 60)) for stage in stages}
    assert len(draws) == len(stages)


def test_the_name_is_not_merely_glued_together():
    one, two = child_seed(1, "ab", "c"), child_seed(1, "a", "bc")
    assert not np.array_equal(one.generate_state(4), two.generate_state(4))
