"""Tables on disk are what the contract says."""

import pandas as pd

from relcap_models.study.tables import named_units, stack_tables, write_tables


def test_tables_are_utf8_without_mark_with_comma_point_and_words_for_flags(tmp_path):
    table = pd.DataFrame(
        {"unit": ['Børn & unge, "nord"', "NA"], "mean": [1 / 3, None], "n": pd.array([5, None], "Int64")}
    )
    table["suppressed"] = [False, True]
    table["asynchronous"] = pd.Series([None, True], dtype=object)
    write_tables({"t": table}, tmp_path)
    expected = (
        'unit,mean,n,suppressed,asynchronous\n"Børn & unge, ""nord""",0.3333333,5,false,\nNA,,,true,true\n'
    )
    assert (tmp_path / "t.csv").read_bytes() == expected.encode()


def test_tables_of_several_analyses_stand_below_one_another():
    parts = [{"a": pd.DataFrame({"x": [1]})}, {"a": pd.DataFrame({"x": [2]}), "b": pd.DataFrame({"y": [3]})}]
    stacked = stack_tables(parts)
    assert list(stacked["a"]["x"]) == [1, 2]
    assert list(stacked["b"]["y"]) == [3]


def test_only_units_of_public_tables_are_named():
    units = pd.DataFrame({"unit_id": list("abcd"), "name": ["Ann", "Bo", "Cy", "Di"], "size": 9})
    public = {
        "changes": pd.DataFrame({"rater_unit": ["", None], "target_unit": ["", "c"]}),
        "unit_scores": pd.DataFrame({"unit": pd.Categorical(["b"], ["a", "b"]), "mean": [None]}),
        "checks": pd.DataFrame({"subject": ["d"]}),
    }
    assert named_units(public, units).to_dict("list") == {"unit_id": ["b", "c"], "name": ["Bo", "Cy"]}
