"""The words and number formats of the languages in which results are told (en, da, nb)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from relcap_models.errors import ConfigError

LANGUAGES = ("en", "da", "nb")
_DECIMAL = {"en": ".", "da": ",", "nb": ","}
_THOUSANDS = {"en": ",", "da": ".", "nb": "\u00a0"}
_PERCENT = {"en": "%", "da": "\u00a0%", "nb": "\u00a0%"}


class Message(str):
    """A sentence that can be told in every language: a string in English, with its key in the texts.

    Values are numbers, names, texts of an instrument (language to text), lists of them, or messages. A key
    with `.one` and `.other` goes by `n`.
    """

    key: str
    values: Mapping[str, Any]

    def __new__(cls, key: str, **values: Any) -> Message:
        message = super().__new__(cls, load_texts("en").say({"key": key, "values": values}))
        message.key, message.values = key, values
        return message

    def __reduce__(self) -> tuple[Any, ...]:
        return _message, (self.key, dict(self.values))

    def as_json(self) -> dict[str, Any]:
        """What `Texts.say` takes, of plain types."""
        return {"key": self.key, "values": {name: _plain(value) for name, value in self.values.items()}}


def _message(key: str, values: Mapping[str, Any]) -> Message:
    return Message(key, **values)


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return value.as_json()
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    # Numbers of NumPy have a Python number inside.
    return value.item() if hasattr(value, "item") else value


@dataclass(frozen=True)
class Texts:
    """Sentences and number formats in one language.

    Calling it with a key fills a sentence: `texts("page.analysis", id="r")`. What is filled in is never
    interpreted, so names may hold braces or markup.
    """

    language: str
    strings: Mapping[str, str]

    def __call__(self, key: str, **values: str) -> str:
        return self.strings[key].format_map(values)

    def say(self, message: Message | Mapping[str, Any] | str) -> str:
        """A message, or what its `as_json` gave, in this language; another string as it stands.

        A format says how a number is written: `{share:.0%}`, `{value:.2f}`; none is for counts.
        """
        if isinstance(message, Message):
            message = message.as_json()
        if isinstance(message, str):
            return message
        key, values = str(message["key"]), message["values"]
        if f"{key}.other" in self.strings:
            key += ".one" if values["n"] == 1 else ".other"
        return self.strings[key].format_map({name: self._filled(value) for name, value in values.items()})

    def _filled(self, value: Any) -> Any:
        if isinstance(value, Mapping) and "key" not in value:
            return self.of(value)
        if isinstance(value, Message | Mapping | str):
            return self.say(value)
        if isinstance(value, list | tuple):
            return self.listing([str(self._filled(part)) for part in value])
        return _Number(self, value)

    def known(self, key: str, otherwise: str) -> str:
        """The text under `key`, or `otherwise` for a code that a later version brought."""
        return self.strings.get(key, otherwise)

    def count(self, key: str, n: int, **values: str) -> str:
        """The sentence of `key` in singular or plural (`<key>.one`, `<key>.other`), with `{n}` filled in."""
        return self(f"{key}.{'one' if n == 1 else 'other'}", n=self.whole(n), **values)

    def number(self, value: float, digits: int = 2) -> str:
        """A figure with a decimal sign of the language and a true minus; a dash where there is none."""
        if value is None or math.isnan(value):
            return "–"
        if math.isinf(value):
            return "∞" if value > 0 else "−∞"
        text = f"{abs(value):,.{digits}f}"
        negative = value < 0 and any(digit in text for digit in "123456789")
        text = text.translate({ord(","): _THOUSANDS[self.language], ord("."): _DECIMAL[self.language]})
        return f"−{text}" if negative else text

    def signed(self, value: float, digits: int = 2) -> str:
        """A difference: with its plus or minus sign."""
        text = self.number(value, digits)
        return f"+{text}" if value > 0 and any(digit in text for digit in "123456789") else text

    def whole(self, value: float) -> str:
        return self.number(value, 0)

    def percent(self, share: float, digits: int = 0) -> str:
        """A share in [0, 1] as a percentage."""
        text = self.number(100 * share, digits)
        return text if text == "–" else text + _PERCENT[self.language]

    def probability(self, value: float) -> str:
        """A probability in two decimals, never rounded to certainty."""
        if math.isnan(value):
            return "–"
        if value > 0.99:
            return f">\u00a0{self.number(0.99)}"
        return f"<\u00a0{self.number(0.01)}" if value < 0.01 else self.number(value)

    def p(self, value: float) -> str:
        """`P = 0.97`, for sentences."""
        text = self.probability(value)
        return f"P\u00a0{text}" if text[0] in "<>" else f"P\u00a0=\u00a0{text}"

    def interval(self, lower: float, upper: float, digits: int = 2) -> str:
        if math.isnan(lower) or math.isnan(upper):
            return "–"
        return self("format.range", lower=self.number(lower, digits), upper=self.number(upper, digits))

    def listing(self, items: Sequence[str]) -> str:
        """`a, b and c`; with semicolons where an element itself holds a comma."""
        items = list(items)
        if len(items) < 2:
            return "".join(items)
        comma = "; " if any("," in item for item in items) else ", "
        return self("format.and", before=comma.join(items[:-1]), last=items[-1])

    def date(self, date: str) -> str:
        """`2024-03` or `2024-03-15` with the month's name; anything else as it stands."""
        parts = date.split("-")
        if len(parts) not in (2, 3) or not all(part.isdigit() for part in parts):
            return date
        months = self.strings["format.months"].split()
        month = int(parts[1])
        if not 1 <= month <= 12:
            return date
        words = f"{months[month - 1]} {parts[0]}"
        return self("format.day", day=str(int(parts[2])), month=words) if len(parts) == 3 else words

    def of(self, text: Any) -> str:
        """A text of an instrument: a mapping from language to text, or one text for all languages."""
        if not isinstance(text, Mapping):
            return "" if text is None else str(text)
        for language in (self.language, "en", *text):
            if text.get(language):
                return str(text[language])
        return ""


@dataclass(frozen=True)
class _Number:
    """A number that a format specification writes as its language does."""

    texts: Texts
    value: float

    def __format__(self, spec: str) -> str:
        digits = int(spec[1:-1]) if spec.startswith(".") else 0
        if spec.endswith("%"):
            return self.texts.percent(self.value, digits)
        if spec.endswith("f"):
            return self.texts.number(self.value, digits)
        # As short as it can be: 7, 7.5.
        decimals = f"{self.value:.3f}".rstrip("0").partition(".")[2]
        return self.texts.number(self.value, len(decimals))

    def __str__(self) -> str:
        return format(self, "")


@cache
def load_texts(language: str) -> Texts:
    """The texts of one language.

    Raises
    ------
    ConfigError
        If the language is none of `LANGUAGES`.
    """
    import yaml

    if language not in LANGUAGES:
        raise ConfigError(
            f"report.language: '{language}' is not available. Choose one of: {', '.join(LANGUAGES)}."
        )
    source = files("relcap_models").joinpath("texts", f"{language}.yaml").read_text(encoding="utf-8")
    # Where libyaml is at hand it reads ten times as fast.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return Texts(language, MappingProxyType(_flat(yaml.load(source, Loader=loader))))


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value).strip()
    return flat
