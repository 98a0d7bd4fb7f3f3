"""Bytes of a text file as UTF-8: byte-order marks, UTF-16 and Windows-1252 as spreadsheets write them.

Danish and Norwegian letters must never be mangled. Windows-1252 is only assumed where every byte above 127
then reads as a letter or a sign that people write; anything else is refused.
"""

from __future__ import annotations

import codecs
import re

from relcap_models.data.findings import Findings
from relcap_models.language import Message

_REMEDY = "Save the file again as UTF-8 (in Excel: 'CSV UTF-8')"
_CHUNK = 1 << 24

# Letters, and signs of running text. Read so, æ, ø and å are ¾, ¿ and Œ in Mac files, ‘, › and † in DOS ones.
_WRITTEN = re.compile(r"[\x00-\x7fÀ-ÖØ-öø-ÿŠšŽžŸ°§´·«»“”‘’–—…€£½ªº©®\xa0\xad]*")
_MISREAD_DOS = re.compile(r"[^\W\d_]‘[^\W\d_]")
# UTF-8 bytes read as Windows-1252: Ã and one of the signs that a second byte becomes.
_MISREAD_UTF8 = re.compile(r"[ÂÃ][\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]")


def as_utf8(data: bytes, file: str, findings: Findings) -> bytes | None:
    """The file's content as UTF-8 without byte-order mark, or None (and a problem) if it can't be known.

    What was done to a file that is not plain UTF-8 is noted.
    """
    if data.startswith(codecs.BOM_UTF8):
        findings.note(Message("intake.byte_order_mark", file=file))
        data = data[len(codecs.BOM_UTF8) :]
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            text = data.decode("utf-16")
        except UnicodeDecodeError:
            findings.add(file, "the file begins as UTF-16 but can't be read as that", _REMEDY)
            return None
        findings.note(Message("intake.utf_16", file=file))
        return text.encode()
    elif data.startswith(b"PK\x03\x04"):
        findings.add(
            file, "this is an Excel workbook (or another zip file), not CSV", "Save it as 'CSV UTF-8'"
        )
        return None
    if b"\x00" in data:
        findings.add(file, "this is no text: it holds zero bytes", _REMEDY)
        return None
    place = _first_not_utf8(data)
    if place is None:
        return data
    line = data[:place].count(b"\n") + 1
    text = _windows_1252(data)
    if text is None:
        findings.add(file, "this line has letters in an unknown encoding", _REMEDY, row=line)
        return None
    findings.note(Message("intake.windows_1252", file=file, line=line))
    return text.encode()


def _first_not_utf8(data: bytes) -> int | None:
    """Position of the first byte that is not UTF-8. In pieces: the text of a large file need not be held."""
    if data.isascii():
        return None
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(data)
    for start in range(0, len(data), _CHUNK):
        held = len(decoder.getstate()[0])
        try:
            decoder.decode(view[start : start + _CHUNK], final=start + _CHUNK >= len(data))
        except UnicodeDecodeError as error:
            return start - held + error.start
    return None


def _windows_1252(data: bytes) -> str | None:
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return None
    if _WRITTEN.fullmatch(text) is None or _MISREAD_DOS.search(text) or _MISREAD_UTF8.search(text):
        return None
    return text
