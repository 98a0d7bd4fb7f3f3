"""The report's languages say the same things, and write figures as their readers do."""

import pickle
import string

import pytest

from relcap_models.errors import ConfigError
from relcap_models.language import LANGUAGES, Message, load_texts


def _placeholders(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_every_language_has_the_same_texts_with_the_same_placeholders(language):
    english, other = load_texts("en").strings, load_texts(language).strings
    assert set(other) == set(english)
    assert {key: _placeholders(text) for key, text in other.items()} == {
        key: _placeholders(text) for key, text in english.items()
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_and_every_month_has_a_name(language):
    texts = load_texts(language)
    assert all(texts.strings.values())
    assert len(texts.strings["format.months"].split()) == 12


@pytest.mark.parametrize(
    ("language", "number", "thousands", "percent"),
    [
        ("en", "−3.46", "12,345", "90%"),
        ("da", "−3,46", "12.345", "90\u00a0%"),
        ("nb", "−3,46", "12\u00a0345", "90\u00a0%"),
    ],
)
def test_numbers_follow_the_language(language, number, thousands, percent):
    texts = load_texts(language)
    assert texts.number(-3.456) == number
    assert texts.whole(12345) == thousands
    assert texts.percent(0.9) == percent


def test_a_missing_figure_is_a_dash_and_zero_has_no_sign():
    texts = load_texts("en")
    assert texts.number(float("nan")) == "–"
    assert texts.percent(float("nan")) == "–"
    assert texts.interval(1.0, float("nan")) == "–"
    assert texts.signed(-0.001) == texts.signed(0.001) == "0.00"


def test_a_probability_is_never_rounded_to_certainty():
    texts = load_texts("da")
    assert texts.probability(0.9999) == ">\u00a00,99"
    assert texts.probability(0.0) == "<\u00a00,01"
    assert texts.p(0.876) == "P\u00a0=\u00a00,88"
    assert texts.p(1.0) == "P\u00a0>\u00a00,99"


def test_dates_are_written_out_and_unknown_forms_left_alone():
    assert load_texts("da").date("2024-03") == "marts 2024"
    assert load_texts("nb").date("2024-10-05") == "5. oktober 2024"
    assert load_texts("en").date("spring 2024") == "spring 2024"
    assert load_texts("en").date("2024-13") == "2024-13"


def test_a_listing_with_commas_inside_is_separated_by_semicolons():
    texts = load_texts("en")
    assert texts.listing(["a", "b", "c"]) == "a, b and c"
    assert texts.listing(["a, x", "b", "c"]) == "a, x; b and c"


def test_names_with_braces_are_filled_in_verbatim():
    assert "{0} {x}" in load_texts("en")("page.analysis", id="{0} {x}")


def test_an_unknown_language_is_refused_with_those_that_exist():
    with pytest.raises(ConfigError, match="en, da, nb"):
        load_texts("sv")


def test_a_message_is_an_english_sentence_that_other_languages_tell():
    message = Message("design.precision_unit", n=7.5, score=Message("design.score_unit"), **_EXPECTED)
    assert "With 7.5 respondents per unit and wave (median), a unit's score is" in message
    assert message.endswith(".70 needs 1 respondent.")
    told = load_texts("da").say(message)
    assert "Med 7,5 respondenter pr. enhed" in told
    assert "omkring 0,71" in told
    assert load_texts("da").say(message.as_json()) == told
    again = pickle.loads(pickle.dumps(message))
    assert (again, again.as_json()) == (message, message.as_json())


def test_names_in_a_message_are_neither_read_as_keys_nor_filled():
    message = Message("design.not_rated", units=["{n}", "design.one_wave"])
    assert "No other unit rates {n} and design.one_wave:" in message
    assert "{n} og design.one_wave" in load_texts("nb").say(message)


def test_what_an_instrument_calls_a_dimension_follows_the_language():
    title = {"da": "Adfærd", "en": "Behaviour"}
    message = Message("design.score_on", score=Message("design.score_unit"), dimension=title)
    assert message.endswith("(Behaviour)")
    assert load_texts("da").say(message.as_json()).endswith("(Adfærd)")
    assert load_texts("nb").say(message).endswith("(Behaviour)")


_EXPECTED = {"reliability": 0.707, "sd": 0.2, "needed": Message("design.respondents", n=1)}
