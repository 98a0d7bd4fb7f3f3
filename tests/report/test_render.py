"""The report holds what the controlled tables hold, in words, and nothing more."""

import html
import json
import re

import pandas as pd
import pytest

from relcap_models.errors import DataError
from relcap_models.language import load_texts
from relcap_models.report.assembly import sections_of
from relcap_models.report.blocks import Picture, Table
from relcap_models.report.material import Material
from relcap_models.report.render import render_report
from relcap_models.report.results import read_results
from relcap_models.report.sections.checks import failed_checks
from relcap_models.report.sections.summary import summary_section


def _material(folder):
    results = read_results(folder)
    return Material(results, load_texts(results.context["report"]["language"]))


def _words(section):
    words = [section.title]
    for block in section.blocks:
        words += [getattr(block, name, "") for name in ("text", "caption", "alt")]
        words += getattr(block, "items", ())
    return " ".join(words)


def test_the_page_is_self_contained(hostile_report):
    page = hostile_report.read_text(encoding="utf-8")
    tags = re.findall(r"<[a-z][^>]*>", page)
    links = [tag for tag in tags if re.search(r"\s(src|srcset|href|action|data)=", tag)]
    for tag in links:
        targets = re.findall(r'\s(?:src|srcset|href|action|data)="([^"]*)"', tag)
        assert all(target.startswith(("#", "data:")) for target in targets), tag[:200]
    assert "@import" not in page
    assert "url(" not in page
    assert len(page) < 6e6


def test_hostile_names_stand_in_the_page_as_text(hostile_report, hostile_names):
    page = hostile_report.read_text(encoding="utf-8")
    assert page.count("<script>") == 1
    assert "<img src=x" not in page
    for name in hostile_names:
        assert html.escape(name, quote=True).replace("&quot;", "&#34;").replace("&#x27;", "&#39;") in page


def test_every_figure_is_a_png_beside_the_report_with_alternative_text(hostile_report):
    page = hostile_report.read_text(encoding="utf-8")
    alternatives = re.findall(r'<img [^>]*alt="([^"]*)"', page)
    figures = sorted((hostile_report.parent / "figures").glob("*.png"))
    assert len(figures) == len(alternatives) > 8
    assert all(len(alternative) > 20 for alternative in alternatives)
    assert all(figure.read_bytes().startswith(b"\x89PNG") for figure in figures)


def test_failed_checks_stand_above_the_results_with_what_to_do(hostile_report):
    page = hostile_report.read_text(encoding="utf-8")
    assert 0 < page.index('<section class="failed"') < page.index('<section id="summary"')
    assert "Divergent transitions: 14 (at most 0)" in page
    assert "target_accept" in page


def test_the_advice_follows_the_kind_of_check(tmp_path, write_results):
    material = _material(write_results(tmp_path, n_units=6, failing=True))
    words = _words(failed_checks(material))
    assert material.texts("advice.rhat") in words
    assert material.texts("advice.divergences") in words
    assert material.texts("advice.ess") not in words
    assert failed_checks(_material(write_results(tmp_path, n_units=6))) is None


def test_only_controlled_tables_and_metadata_are_read(tmp_path, write_results):
    """Uncontrolled twins beside the metadata change nothing: they are never opened."""
    write_results(tmp_path, n_units=6, climate=False)
    uncontrolled = tmp_path / "restricted" / "tables"
    uncontrolled.mkdir()
    (uncontrolled / "relation_scores.csv").write_bytes(b"\xff\xfe not a table")
    assert not _material(tmp_path).results.tables["relation_scores"].empty


def test_hidden_relations_show_no_figure_anywhere(tmp_path, write_results):
    material = _material(write_results(tmp_path, n_units=12))
    analysis = material.analyses[0]
    table = material.results.tables["relation_scores"]
    hidden = table[table["suppressed"] & (table["dimension"] == "overall")]
    assert len(hidden) > 0
    section = next(s for s in sections_of(material) if s.id == "relations-1")
    rows = next(block for block in section.blocks if isinstance(block, Table)).rows
    by_pair = {(row[0].text, row[1].text): row for row in rows}
    for _, row in hidden.iterrows():
        cells = by_pair[material.unit(row["rater_unit"]), material.unit(row["target_unit"])]
        assert {cell.text for cell in cells[2:7]} == {"–"}
        assert cells[7].text == material.texts("words.hidden")
    assert analysis.kind == "relations"


def test_all_hidden_is_said_in_words_instead_of_empty_figures(tmp_path, write_results):
    material = _material(write_results(tmp_path, n_units=6, all_suppressed=True, climate=False))
    results = [section for section in sections_of(material) if section.group == "results"]
    assert not [block for section in results for block in section.blocks if isinstance(block, Picture)]
    assert "are hidden" in _words(summary_section(material))


def test_counts_may_be_banded(hostile_report):
    assert ">5–7</td>" in hostile_report.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["da", "nb"])
def test_the_report_speaks_the_language_of_the_study(tmp_path, write_results, language):
    material = _material(write_results(tmp_path, n_units=6, language=language, n_waves=3))
    words = " ".join(_words(section) for section in sections_of(material))
    english = load_texts("en")
    assert not re.search(r"\d\.\d", re.sub(r"Gin|\d{4}", "", _words(summary_section(material))))
    for key in ("matrix.title", "gaps.how", "privacy.complementary", "variance.how", "not_done.validity"):
        assert english(key, delta="0.50") not in words
    methods = next(section for section in sections_of(material) if section.id == "methods")
    options = {term: meaning for b in methods.blocks if b.kind == "definitions" for term, meaning in b.pairs}
    assert options[material.texts("options.family")] == "kumulativ"
    for sentence in ("largest R-hat", "half-normal", "rests on 120 pairs"):
        assert sentence not in words


def test_the_summary_never_names_a_relation_without_its_probability(tmp_path, write_results):
    material = _material(write_results(tmp_path, n_units=12))
    for sentence in next(b for b in summary_section(material).blocks if b.kind == "bullets").items:
        assert sentence.count("P\u00a0") >= sentence.count("→")


def test_the_summary_counts_the_relations_whose_interval_lies_on_one_side(tmp_path, write_results):
    material = _material(write_results(tmp_path, n_units=12))
    scores = pd.read_csv(tmp_path / "public" / "tables" / "relation_scores.csv")
    shown = scores[(scores["dimension"] == "overall") & scores["mean"].notna()]
    below = int((shown["upper"] < shown["mean"].median()).sum())
    assert f"of {below} relations lie wholly below" in _words(summary_section(material))


def test_the_summary_gives_a_climate_with_intervals(tmp_path, write_results):
    material = _material(write_results(tmp_path, n_units=6))
    scores = pd.read_csv(tmp_path / "public" / "tables" / "unit_scores.csv")
    shown = scores[(scores["analysis"] == "safety") & (scores["dimension"] == "overall")].dropna(
        subset="mean"
    )
    low = shown.loc[shown["mean"].idxmin()]
    interval = f"{low['mean']:.2f} ({low['lower']:.2f} to {low['upper']:.2f})"
    assert f"the units’ scores run from {interval} to" in _words(summary_section(material))


def test_hidden_items_are_counted_with_the_reason(tmp_path, write_results):
    folder = write_results(tmp_path, n_units=6, climate=False)
    path = folder / "public" / "tables" / "item_profiles.csv"
    table = pd.read_csv(path)
    table.loc[table["item"] == "RC2", ["mean", "sd", "lower", "upper", "naive_mean"]] = None
    table.to_csv(path, index=False)
    material = _material(folder)
    section = next(s for s in sections_of(material) if s.id == "profiles-1")
    rows = next(block for block in section.blocks if isinstance(block, Table)).rows
    hidden = sum(row[3].text == "–" for row in rows)
    assert hidden >= len(rows) / 6
    assert f"{hidden} of the {len(rows)} item scores of these relations are hidden" in _words(section)
    assert "fewer than 5 respondents answered" in _words(section)


def test_figures_of_one_unit_and_one_relation_speak_in_the_singular(tmp_path, write_results):
    folder = write_results(tmp_path, n_units=6, n_waves=2, climate=False)
    tables = {path.stem: pd.read_csv(path) for path in (folder / "public" / "tables").glob("*.csv")}
    scores = tables["relation_scores"]
    first = scores[scores["mean"].notna()].iloc[0]
    one = {name: first[name] for name in ("rater_unit", "target_unit")}
    for name in ("relation_scores", "item_profiles"):
        tables[name] = tables[name][(tables[name][list(one)] == pd.Series(one)).all(axis=1)]
    tables["relation_scores"] = tables["relation_scores"].assign(
        prob_lowest_k=None, prob_highest_k=None, k=None
    )
    gaps = tables["perception_gaps"]
    pair = gaps[gaps["mean"].notna()].iloc[0]
    tables["perception_gaps"] = gaps[(gaps["unit_a"] == pair["unit_a"]) & (gaps["unit_b"] == pair["unit_b"])]
    units = tables["unit_scores"]
    unit = units[units["mean"].notna() & (units["role"] == "within_unit")]["unit"].iloc[0]
    hidden = (units["unit"] == unit) & (units["role"] != "within_unit")
    units.loc[hidden, ["mean", "lower", "upper", "naive_mean"]] = None
    tables["unit_scores"] = units[units["unit"] == unit]
    for name, table in tables.items():
        table.to_csv(folder / "public" / "tables" / f"{name}.csv", index=False)
    sections = sections_of(_material(folder))
    alt = {b.name: b.alt for section in sections for b in section.blocks if isinstance(b, Picture)}
    assert alt["network_map_1-relations"].startswith(
        "Network map of 2 units and 1 relation. The one relation"
    )
    assert alt["unit_scores_1-relations"].startswith("Within the unit: score of the one unit shown, ")
    assert alt["perception_gaps_1-relations"].startswith("The one pair of units that is shown, ")
    assert alt["item_profiles_1-relations"].startswith("Item scores of one relation. ")
    assert not re.search(r"\b[01] (relations|units|pairs)\b|the other 1", " ".join(alt.values()))


@pytest.mark.parametrize(("engine", "warned"), [("nuts", False), ("fast", True)])
def test_an_approximation_is_called_one_on_top(tmp_path, write_results, engine, warned):
    folder = write_results(tmp_path)
    path = folder / "restricted" / "context.json"
    context = json.loads(path.read_text(encoding="utf-8"))
    for analysis in context["analyses"]:
        analysis["engine"]["name"] = engine
    path.write_text(json.dumps(context), encoding="utf-8")
    page = render_report(folder).read_text(encoding="utf-8")
    head = page[: page.index("</header>")]
    assert ("A look, not a result." in head) == warned
    assert ("Minka, 2001" in page) == warned
    assert ("Hoffman &amp; Gelman, 2014" in page) != warned


@pytest.mark.parametrize(
    ("backend", "sampler"), [("numba", "NUTS"), ("jax", "Hamiltonian Monte Carlo in chains")]
)
def test_methods_name_the_sampler_that_drew(tmp_path, write_results, backend, sampler):
    folder = write_results(tmp_path)
    path = folder / "restricted" / "context.json"
    context = json.loads(path.read_text(encoding="utf-8"))
    for analysis in context["analyses"]:
        analysis["engine"] |= {"name": "nuts", "backend": backend}
    path.write_text(json.dumps(context), encoding="utf-8")
    page = re.sub(r"\s+", " ", render_report(folder).read_text(encoding="utf-8"))
    assert f"Estimated by {sampler}" in page
    assert ("arXiv:2603.18845" in page) == (backend == "jax")


def test_several_analyses_with_odd_ids_get_sections_and_files_of_their_own(tmp_path, write_results):
    ids = ("../../æ <b>", "second analysis", "…")
    material = _material(write_results(tmp_path, n_units=6, analysis_ids=ids, climate=False))
    sections = sections_of(material)
    names = [block.name for section in sections for block in section.blocks if isinstance(block, Picture)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9_-]+", name) for name in names)
    assert len({section.id for section in sections}) == len(sections)
    assert {section.subject for section in sections if section.id.startswith("matrix")} == set(ids)


def test_what_the_design_allows_is_said_of_every_analysis(tmp_path, write_results):
    """Both analyses of the invented study have the same messages."""
    material = _material(write_results(tmp_path, n_units=6))
    blocks = next(s for s in sections_of(material) if s.id == "methods").blocks
    leads = [n for n, b in enumerate(blocks) if getattr(b, "text", "") == material.texts("methods.design")]
    assert len(leads) == 2
    assert blocks[leads[0] + 1] == blocks[leads[1] + 1]


def test_one_wave_and_a_missing_climate_get_a_sentence_each(tmp_path, write_results):
    material = _material(write_results(tmp_path, n_units=6, climate=False))
    words = " ".join(_words(section) for section in sections_of(material))
    assert material.texts("changes.one_wave") in words
    assert material.texts("absent.climate") in words


def test_relations_of_one_rater_unit_are_spoken_of_only_where_they_are_compared(tmp_path, write_results):
    folder = write_results(tmp_path, n_units=6, climate=False)

    def words():
        material = _material(folder)
        section = next(s for s in sections_of(material) if s.id == "reliability-1")
        return material.texts("reliability.how_relations") in _words(section)

    assert words()
    path = folder / "public" / "tables" / "reliability.csv"
    table = pd.read_csv(path)
    table[table["comparison"] != "within_rater_unit"].to_csv(path, index=False)
    assert not words()


def test_leaders_get_the_results_without_the_detail_of_method(tmp_path, write_results):
    researcher = {s.id for s in sections_of(_material(write_results(tmp_path, n_units=6)))}
    leader = {s.id for s in sections_of(_material(write_results(tmp_path, n_units=6, audience="leader")))}
    assert {"summary", "matrix-1", "privacy", "not-done"} <= leader
    assert {"methods", "variance-1", "reliability-1", "checks"} <= researcher - leader


def test_a_folder_without_results_is_refused_with_every_problem(tmp_path, write_results):
    with pytest.raises(DataError, match=r"context\.json"):
        render_report(tmp_path)
    write_results(tmp_path, n_units=6)
    scores = tmp_path / "public" / "tables" / "relation_scores.csv"
    frame = pd.read_csv(scores, dtype=str).drop(columns="prob_lowest_k")
    frame.loc[3, "mean"] = "high"
    frame.to_csv(scores, index=False)
    with pytest.raises(DataError) as refused:
        render_report(tmp_path)
    assert {problem.column for problem in refused.value.problems} == {"prob_lowest_k", "mean"}
    assert not (tmp_path / "public" / "report.html").exists()


def test_figures_of_an_earlier_report_do_not_stay(hostile_report):
    """The fixture put `network_map_9-old.png` there before it rendered."""
    names = {path.name for path in (hostile_report.parent / "figures").iterdir()}
    assert "network_map_1-relations.png" in names
    assert "network_map_9-old.png" not in names
    assert not [name for name in names if name.startswith(".")]
