"""A small study on disk: three units, three respondents, two waves, relational capacity and safety."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from relcap_models.data import read_survey
from relcap_models.errors import DataError, Problem

TABLES = {
    "responses": """\
wave,respondent_id,rater_unit,target_unit,instrument,item,value
w1,r1,u1,u2,relational_capacity,RC1,4
w1,r1,u1,u2,relational_capacity,RC2,5
w1,r1,u1,u3,relational_capacity,RC1,DK
w1,r1,u1,u1,psychological_safety,PS1,3
w1,r2,u2,u1,relational_capacity,RC1,2
w2,r2,u2,u1,relational_capacity,RC1,3
w2,r3,u3,u1,relational_capacity,RC2,NA
w2,r3,u3,u1,relational_capacity,RC3,
w2,r3,u3,u1,relational_capacity,RC4,1
""",
    "units": "unit_id,name,size,n_leaders\nu1,Skole,12,1\nu2,Daginstitution,8,\nu3,PPR,5,2\n",
    "respondents": "respondent_id,role\nr1,leader\nr2,employee\nr3,employee\n",
    "nominations": "wave,rater_unit,target_unit,importance\nw1,u1,u2,3\nw1,u2,u1,2\n",
    "programmes": "unit_id,programme,start_wave\nu1,P1,w2\n",
    "outcomes": "wave,unit_id,outcome,value\nw1,u1,absence,4.5\n",
}


class Study:
    """Tables in a folder, to be spoilt and read."""

    instruments = ("relational_capacity", "psychological_safety")
    waves = ("w1", "w2")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in TABLES.items():
            self.write(name, text)

    def text(self, name: str) -> str:
        return TABLES[name]

    def write(self, name: str, content: str | bytes) -> None:
        data = content.encode() if isinstance(content, str) else content
        (self.folder / f"{name}.csv").write_bytes(data)

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace in the table as it stands on disk; `old` must be there."""
        path = self.folder / f"{name}.csv"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def append(self, name: str, *lines: str) -> None:
        path = self.folder / f"{name}.csv"
        path.write_text(
            path.read_text(encoding="utf-8") + "".join(f"{line}\n" for line in lines), encoding="utf-8"
        )

    def read(self, tables=None, **options):
        return read_survey(
            self.folder if tables is None else tables,
            **({"instruments": self.instruments, "waves": self.waves} | options),
        )

    def problems(self, tables=None, **options) -> tuple[Problem, ...]:
        with pytest.raises(DataError) as caught:
            self.read(tables, **options)
        return caught.value.problems


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


@pytest.fixture
def places() -> Callable[[tuple[Problem, ...]], list[tuple]]:
    """(file, row, column, value) of problems."""
    return lambda problems: [(p.file, p.row, p.column, p.value) for p in problems]
