import numpy as np
import pandas as pd

from relcap_models.simulate import Simulation, simulate, write


def test_files_are_plain_utf8_read_back_the_same_and_leave_nothing_behind(instruments, waves, tmp_path):
    simulated = simulate(Simulation(), instruments=instruments, waves=waves[:1], seed=1)
    data, truth = tmp_path / "study" / "data", tmp_path / "study" / "truth"
    data.mkdir(parents=True)
    (data / "notes.txt").write_text("mine")
    write(simulated, data, truth)
    assert {path.name for path in data.iterdir()} == {
        "notes.txt",
        *(f"{name}.csv" for name in simulated.tables),
    }
    assert {path.stem for path in truth.iterdir()} == set(simulated.truth)
    raw = (data / "units.csv").read_bytes()
    assert not raw.startswith(b"\xef\xbb\xbf")
    assert "Fælles".encode() in raw
    assert b"\r" not in raw
    back = pd.read_csv(data / "responses.csv", dtype=str, keep_default_na=False)
    pd.testing.assert_frame_equal(back, simulated.tables["responses"].astype(back.dtypes))
    scores = pd.read_csv(truth / "relation_scores.csv")["score"]
    assert np.allclose(scores, simulated.truth["relation_scores"]["score"], rtol=1e-14)


def test_writing_twice_gives_the_same_bytes(instruments, waves, tmp_path):
    for place in ("one", "two"):
        simulated = simulate(Simulation(), instruments=instruments, waves=waves[:1], seed=1)
        write(simulated, tmp_path / place / "data", tmp_path / place / "truth")
    for path in (tmp_path / "one").rglob("*.csv"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()
