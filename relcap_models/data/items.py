"""The items of all instruments as one numbered list, with what an answer to each may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from relcap_models.schema import codes
from relcap_models.schema.instrument import Instrument

ANSWER, DONT_KNOW, MISSING, NOT_UNDERSTOOD = range(4)


@dataclass(frozen=True)
class Items:
    """Items numbered through all instruments, in the order of the files.

    instrument_ids : (instrument,) · ids : (item,) item ids · instrument_of : (item,)
    minimum, maximum : (item,) ends of the response scale
    own_unit : (instrument,) True where respondents rate their own team or leaders only
    """

    instruments: tuple[Instrument, ...]
    instrument_ids: tuple[str, ...]
    ids: tuple[str, ...]
    instrument_of: np.ndarray
    minimum: np.ndarray
    maximum: np.ndarray
    own_unit: np.ndarray

    def number(self, instrument: int, item: str) -> int:
        """The item's number, -1 if the instrument has no such item."""
        return self._numbers().get((instrument, item), -1)

    def of_any(self, item: str) -> tuple[int, ...]:
        """The numbers of all items with this id; several instruments may use one."""
        return tuple(i for i, known in enumerate(self.ids) if known == item)

    def distinct_ids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.ids))

    def _numbers(self) -> dict[tuple[int, str], int]:
        return {(int(k), item): i for i, (k, item) in enumerate(zip(self.instrument_of, self.ids))}


def items_of(instruments: Mapping[str, Instrument]) -> Items:
    """Number the items of these instruments."""
    pairs = [(k, q, item) for k, q in enumerate(instruments.values()) for item in q.items]
    return Items(
        instruments=tuple(instruments.values()),
        instrument_ids=tuple(instruments),
        ids=tuple(item.id for _, _, item in pairs),
        instrument_of=np.array([k for k, _, _ in pairs], dtype=np.int32),
        minimum=np.array([q.scale_of(item).minimum for _, q, item in pairs], dtype=float),
        maximum=np.array([q.scale_of(item).maximum for _, q, item in pairs], dtype=float),
        own_unit=np.array(
            [q.referent in ("own_team", "own_leaders") for q in instruments.values()], dtype=bool
        ),
    )


def kinds_of_texts(items: Items, texts: Sequence[str], numbers: np.ndarray) -> np.ndarray:
    """(instrument, text) what each text is as an answer: ANSWER, DONT_KNOW, MISSING or NOT_UNDERSTOOD.

    Codes come before numbers. Capitals and the kind of apostrophe do not matter, nor `99` against `99.0`.
    """
    kinds = np.where(np.isnan(numbers), NOT_UNDERSTOOD, ANSWER)[None, :].repeat(
        len(items.instruments), axis=0
    )
    plain = [codes.plain(text) for text in texts]
    for k, instrument in enumerate(items.instruments):
        for listed, kind in ((instrument.missing, MISSING), (instrument.dont_know, DONT_KNOW)):
            words, numeric = (
                {codes.plain(code) for code in listed},
                {codes.number(code) for code in listed} - {None},
            )
            is_code = [text in words or number in numeric for text, number in zip(plain, numbers.tolist())]
            kinds[k, np.array(is_code, dtype=bool)] = kind
    return kinds
