"""Pydantic's errors become ours: the path in the file, the nearest valid word, no tags of unions."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from relcap_models.errors import Problem, format_problems
from relcap_models.schema import Declaration, problems_of


class Cat(Declaration):
    kind: Literal["cat"]
    lives: int = Field(9, gt=0)
    mood: Literal["purring", "asleep"] = "asleep"


class Dog(Declaration):
    kind: Literal["dog"]
    name: str = ""


class House(Declaration):
    pets: tuple[Annotated[Cat | Dog, Field(discriminator="kind")], ...] = ()
    rooms: dict[str, Cat] = Field(default_factory=dict)
    guest: Cat | None = None


@pytest.mark.parametrize(
    ("content", "where", "said"),
    [
        ({"pets": [{"kind": "cat", "lifes": 1}]}, "pets[0].lifes", "'lives'? Valid keys: kind, lives, mood"),
        ({"pets": [{"kind": "cat", "mood": "purrin"}]}, "pets[0].mood", "Did you mean 'purring'?"),
        ({"pets": [{"kind": "kat"}]}, "pets[0].kind", "Did you mean 'cat'? Possible: cat, dog"),
        ({"pets": [{"lives": 1}]}, "pets[0].kind", "this key is missing. Add it; possible: cat, dog"),
        ({"pets": [{"kind": "dog", "name": True}]}, "pets[0].name", "Write it in quotes: 'true'"),
        ({"pets": {"kind": "dog"}}, "pets", "this must be a list"),
        ({"rooms": {"a": {"kind": "cat", "lives": "x"}}}, "rooms.a.lives", "a whole number (value 'x')"),
        ({"guest": {"kind": "cat", "lives": 0}}, "guest.lives", "this must be greater than 0 (value '0')"),
        ({"gest": None}, "gest", "Did you mean 'guest'?"),
    ],
)  # fmt: skip
def test_each_problem_stands_where_it_stands_in_the_file(content, where, said):
    with pytest.raises(ValidationError) as caught:
        House.model_validate(content)
    (problem,) = problems_of(caught.value, file="house.yaml", model=House)
    assert problem.where == where
    assert said in str(problem)


def test_problems_of_a_kind_are_printed_together_and_the_rest_counted():
    problems = [Problem("r.csv", "off", "Mend it", row=i, column="value", value="0") for i in range(2, 106)]
    text = format_problems([*problems, Problem("u.csv", "empty")])
    lines = text.splitlines()
    assert lines[0] == "r.csv, column 'value': off (104 rows)"
    assert lines[1].startswith("  row 2 '0', row 3 '0'")
    assert lines[1].endswith("row 21 '0'. Mend it.")
    assert lines[2:] == ["  and 84 more like this", "u.csv: empty."]
