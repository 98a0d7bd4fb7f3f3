"""lavaan's model syntax and the parameter table that it makes."""

import numpy as np
import pytest

from relcap_models.errors import DataError
from relcap_models.psychometrics.structural.expressions import evaluate, gradient, names_in
from relcap_models.psychometrics.structural.parameter_table import parameter_table
from relcap_models.psychometrics.structural.syntax import parse


def _table(text, *, groups=("",), means=False, std_lv=False, group_equal=()):
    return parameter_table(parse(text), groups=groups, means=means, std_lv=std_lv, group_equal=group_equal)


def _names(table):
    return list((table["lhs"] + table["op"] + table["rhs"])[table["free"] > 0])


def test_comments_semicolons_and_lines_that_go_on_are_read():
    text = """
    # trust
    trust =~ t1 + t2 +   ! the first two
             t3; care =~
        c1 + c2
    trust ~~ care
    """
    found = [(t.lhs, t.op, t.rhs, t.line) for t in parse(text).terms]
    assert found == [
        ("trust", "=~", "t1", 3),
        ("trust", "=~", "t2", 3),
        ("trust", "=~", "t3", 3),
        ("care", "=~", "c1", 4),
        ("care", "=~", "c2", 4),
        ("trust", "~~", "care", 6),
    ]


@pytest.mark.parametrize(
    ("term", "fixed", "start", "label"),
    [
        ("0.5*x", (0.5,), (), ()),
        ("-1*x", (-1.0,), (), ()),
        ("1e-2*x", (0.01,), (), ()),
        ("(1/4)*x", (0.25,), (), ()),
        ("NA*x", (np.nan,), (), ()),
        ("a*x", (), (), ("a",)),
        ("start(0.3)*x", (), (0.3,), ()),
        ("0.3?x", (), (0.3,), ()),
        ("c(a,b)*x", (), (), ("a", "b")),
        ("c(1,NA)*x", (1.0, np.nan), (), ()),
        ("a*start(.2)*x", (), (0.2,), ("a",)),
        ("start(c(1,2))*x", (), (1.0, 2.0), ()),
        ('label("a.b")*x', (), (), ("a.b",)),
    ],
)
def test_modifiers_fix_free_start_and_label(term, fixed, start, label):
    (read,) = parse(f"f =~ {term}").terms
    assert read.rhs == "x"
    np.testing.assert_equal(read.modifier.fixed, fixed)
    assert read.modifier.start == start
    assert read.modifier.label == label


def test_intercepts_are_free_or_fixed():
    read = parse("x + y ~ 1\nz ~ 0*1\nf ~ a*1\nw ~ 0").terms
    assert [(t.lhs, t.op, t.rhs) for t in read] == [(v, "~1", "") for v in "xyzfw"]
    assert [t.modifier.fixed for t in read] == [(), (), (0.0,), (), (0.0,)]
    assert read[3].modifier.label == ("a",)


def test_blocks_divide_the_model():
    read = parse("group: 1\nlevel: within\nf =~ x\nlevel: between\nf =~ x\ngroup: 2\nlevel: within\ng =~ y")
    assert [(t.lhs, t.group, t.level) for t in read.terms] == [
        ("f", "1", "within"),
        ("f", "1", "between"),
        ("g", "2", "within"),
    ]
    assert read.groups == ("1", "2")
    assert read.levels == ("within", "between")


def test_every_unreadable_line_is_named():
    with pytest.raises(DataError) as raised:
        parse("f =~ x1 + x2\ng =~ x3 +\nh =~ f(2)*x\nf =~ x1\nx ~ x\na < 3")
    assert [p.row for p in raised.value.problems] == [2, 3, 5, 6, 4]


def test_cfa_defaults_are_lavaans():
    table = _table("f =~ x1 + x2 + x3\ng =~ x4 + x5\ng ~~ 0*f")
    assert list(table["lhs"] + table["op"] + table["rhs"]) == [
        "f=~x1",
        "f=~x2",
        "f=~x3",
        "g=~x4",
        "g=~x5",
        "f~~g",
        *(f"x{i}~~x{i}" for i in range(1, 6)),
        "f~~f",
        "g~~g",
    ]
    fixed = table[table["free"] == 0]
    assert list(fixed["ustart"]) == [1.0, 1.0, 0.0]


def test_unit_variances_free_first_loadings():
    assert "f=~x1" in _names(_table("f =~ x1 + x2 + x3", std_lv=True))
    assert "f~~f" not in _names(_table("f =~ x1 + x2 + x3", std_lv=True))


def test_a_single_indicator_has_no_residual():
    table = _table("f =~ x1 + x2 + x3\ng =~ x4").set_index(["lhs", "op", "rhs"])
    assert table.loc[("x4", "~~", "x4"), ["free", "ustart"]].tolist() == [0, 0.0]


def test_predictors_are_covariates_unless_the_model_speaks_of_their_moments():
    assert _table("y ~ x + z")["exo"].sum() == 3
    assert _table("y ~ x + z", means=True)["exo"].sum() == 5
    assert _table("y ~ x + z\nx ~~ x")["exo"].sum() == 1


def test_last_outcomes_covary():
    assert "y~~z" in _names(_table("y ~ x\nz ~ x"))
    assert "y~~z" not in _names(_table("y ~ x\nz ~ x + y"))


def test_equal_parameters_share_a_number():
    table = _table(
        "f =~ x1 + a*x2 + a*x3 + equal('f =~ x2')*x4 + x5",
    )
    free = table.set_index("rhs")["free"][:5]
    assert free["x2"] == free["x3"] == 1
    assert free["x5"] == 3
    bound = _table("f =~ x1 + x2 + equal('f =~ x2')*x3")
    assert bound["free"][1] == bound["free"][2] == 1
    assert bound["label"][1] == ".p2."


def test_a_label_shared_with_a_fixed_parameter_fixes():
    table = _table("f =~ x1 + a*x2 + x3\ng =~ a*x4 + x5 + x6")
    assert table.loc[1, ["free", "ustart"]].tolist() == [0, 1.0]


def test_equal_intercepts_free_latent_means_of_later_groups():
    table = _table("f =~ x1 + x2 + x3", groups=("a", "b"), means=True, group_equal=("loadings", "intercepts"))
    mean = table[(table["op"] == "~1") & (table["lhs"] == "f")]
    assert list(mean["free"] > 0) == [False, True]
    assert list(table.loc[table["rhs"] == "x2", "free"].iloc[[0, 2]]) == [1, 1]


def test_values_in_c_must_match_the_groups():
    with pytest.raises(DataError, match=r"row 1: f =~ x2 has 3 values in c\(\) for 2 groups"):
        _table("f =~ x1 + c(a, b, d)*x2", groups=("one", "two"))


def test_expressions_are_worked_out_with_exact_slopes():
    values = {"a": 2.0, "b.1": 3.0}
    assert float(evaluate("a^2 + exp(b.1)/a - pi", values)) == pytest.approx(4 + np.exp(3) / 2 - np.pi)
    # d/da = 2a − e³/a², d/db = e³/a
    slopes = gradient("a^2 + exp(b.1)/a", values)
    assert slopes == pytest.approx({"a": 4 - np.exp(3) / 4, "b.1": np.exp(3) / 2}, rel=1e-14)
    assert names_in("a^2 + exp(b.1)/a - pi") == ("a", "b.1")


@pytest.mark.parametrize("text", ["a +", "open('x')", "a[0]", "(lambda: 1)()", "a.real"])
def test_expressions_hold_arithmetic_only(text):
    with pytest.raises(DataError, match="cannot be worked out"):
        evaluate(text, {"a": 1.0})
