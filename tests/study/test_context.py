"""What the report is told of a study beside its tables."""

import pytest

from relcap_models.study import gather, read_study
from relcap_models.study.context import report_context


def context_of(folder, text):
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    study = read_study(folder)
    return report_context(study, gather(study).survey, [], simulated=True)


def said(context):
    return {message["key"] for message in context["not_done"]}


def test_a_study_with_a_link_is_not_said_to_have_none(study_folder, study_text):
    assert "not_done.effects" in said(context_of(study_folder, study_text))
    linked = study_text.replace("psychological_safety]\n", "psychological_safety, relational_leadership]\n")
    linked = linked.replace("simulation:", "  - {kind: leadership_link}\nsimulation:")
    context = context_of(study_folder, linked)
    assert "not_done.effects_of_links" in said(context)
    assert "not_done.effects" not in said(context)


def test_a_study_of_a_programme_is_not_said_to_have_evaluated_none(study_folder, study_text):
    analysis = "  - {kind: programme_effect, programme: P, assignment: randomised}\nsimulation:"
    context = context_of(study_folder, study_text.replace("simulation:", analysis))
    assert not said(context) & {"not_done.effects", "not_done.effects_of_links", "not_done.programmes"}
    (programme,) = context["programmes"]
    assert (programme["programme"], programme["assignment"]) == ("P", "randomised")


@pytest.mark.parametrize(("declared", "engine"), [("fast", "fast"), ("nuts", "nuts"), ("both", "nuts")])
def test_a_link_is_told_with_the_engine_whose_results_it_has(study_folder, study_text, declared, engine):
    linked = study_text.replace("psychological_safety]\n", "psychological_safety, relational_leadership]\n")
    linked = linked.replace("simulation:", "  - {kind: leadership_link, smallest: 0.25}\nsimulation:")
    context = context_of(study_folder, linked + f"inference: {{engine: {declared}}}\n")
    (link,) = context["links"]
    assert (link["engine"]["name"], link["smallest"]) == (engine, 0.25)
