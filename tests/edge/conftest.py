"""Runs with the real sampler and few draws, shared by the tests of this folder."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from relcap_models.study import run_study
from tests.edge.organisations import answers, write_study

HOSTILE = {
    "<script>alert(1)</script>": "<script>document.title = 'owned'</script>",
    'a, "b"; c': 'Børn, unge & "familie" (ø, Å, ß)',
    "=1+1": '=HYPERLINK("https://example.org")',
    "007": "{{ 7 * 7 }} {0} %s \\n </td>",
    "NA": "NA",
    "🙂 trivsel": "Trivsel 🙂👩‍👩‍👧 $\\frac{a$",
}
"""Unit id → name."""

HIGHEST = {"i<1>": 2, "i,2": 4, "i3": 7}
"""Item → highest answer."""

HOSTILE_ITEMS = {"i<1>": "Hjælper <b>de</b> os?", "i,2": 'De siger "ja"', "i3": "100 % & {tillid}"}


@pytest.fixture(scope="session")
def awkward(tmp_path_factory):
    """Only responses.csv, one wave, no own-unit ratings.

    Unit `lone` has one respondent; `north` is seen by `south` through one person; RC1 is answered 5 by all;
    nobody chose 2 on RC2; nobody answered RC3.
    """
    table = answers({"north": 9, "south": 7, "east": 6, "west": 9, "lone": 1}, own=False)
    seen = (table["rater_unit"] == "south") & (table["target_unit"] == "north")
    table = table[~seen | (table["respondent_id"] == "1-0")]
    table.loc[table["item"] == "RC1", "value"] = 5
    table.loc[(table["item"] == "RC2") & (table["value"] == 2), "value"] = 3
    table = table[table["item"] != "RC3"]
    folder = write_study(tmp_path_factory.mktemp("edge") / "awkward", {"responses": table})
    return run_study(folder, progress=False)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    """Names and ids that break careless programs; an own instrument with 2, 4 and 7 categories; two waves."""
    folder = tmp_path_factory.mktemp("edge") / "hostile"
    table = answers(
        dict.fromkeys(HOSTILE, 9), instrument="own scale", items=tuple(HOSTILE_ITEMS), waves=("før", "efter")
    )
    for item, highest in HIGHEST.items():
        here = table["item"] == item
        points = table.loc[here, "value"] + np.random.default_rng(highest).normal(size=here.sum())
        table.loc[here, "value"] = np.clip(np.round(points * highest / 5), 1, highest).astype(int)
    units = pd.DataFrame({"unit_id": list(HOSTILE), "name": list(HOSTILE.values())})
    pairs = [(u, t) for k, u in enumerate(HOSTILE) for t in list(HOSTILE)[k + 1 :]]
    nominations = pd.DataFrame(pairs, columns=["rater_unit", "target_unit"]).assign(
        wave="efter", importance=2
    )
    study = write_study(
        folder,
        {"responses": table, "units": units, "nominations": nominations},
        analyses=[{"kind": "relations", "id": "own", "instrument": "own scale"}],
        instruments=["own.yaml"],
        waves=("før", "efter"),
        title='Samarbejde <i>på tværs</i> & "imellem" 🙂',
        report={"language": "da"},
    )
    items = [
        {
            "id": item,
            "dimension": "d<1>",
            "text": {"da": text},
            "scale": {"minimum": 1, "maximum": HIGHEST[item], "favourable_from": HIGHEST[item] // 2 + 1},
        }
        for item, text in HOSTILE_ITEMS.items()
    ]
    own = {
        "id": "own scale",
        "title": {"da": "Egen <skala>"},
        "referent": "target_unit",
        "dimensions": [{"id": "d<1>", "title": {"da": "Dimension & <co>"}}],
        "items": items,
        "source": "<script>alert(2)</script>",
        "original_language": "da",
        "translation_status": {"da": "egen"},
    }
    (folder / "own.yaml").write_text(json.dumps(own, ensure_ascii=False), encoding="utf-8")
    return run_study(study, progress=False)


@pytest.fixture(scope="session")
def three_units(tmp_path_factory):
    """As few units as a model takes."""
    table = answers({"a": 6, "b": 8, "c": 9}, seed=3)
    folder = write_study(tmp_path_factory.mktemp("edge") / "three", {"responses": table})
    return run_study(folder, progress=False)


@pytest.fixture(scope="session")
def climate_only(tmp_path_factory):
    """Nobody is asked about another unit, and no relation is analysed; one unit has one respondent."""
    table = answers({"a": 9, "b": 8, "c": 6, "d": 1}, instrument="psychological_safety", others=False, seed=4)
    folder = write_study(
        tmp_path_factory.mktemp("edge") / "climate",
        {"responses": table},
        analyses=[{"kind": "climate", "instrument": "psychological_safety"}],
    )
    return run_study(folder, progress=False)


@pytest.fixture(params=["awkward", "hostile", "three_units", "climate_only"])
def any_run(request):
    """Each of the runs in turn."""
    return request.getfixturevalue(request.param)
