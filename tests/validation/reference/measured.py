"""The table as it is kept: every row in a CSV file beside the tests, its summary in the README."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd

from tests.validation.reference.comparison import COLUMNS, NOT_RUN, compare, markdown
from tests.validation.reference.entry import values
from tests.validation.reference.registry import ENTRIES

FILE = Path("tests/validation/measured/reference.csv")
BLOCK = re.compile(r"(?<=<!-- validation: begin -->\n).*?(?=\n<!-- validation: end -->)", re.DOTALL)


def read_table(repository: Path) -> pd.DataFrame:
    """The rows of the last run."""
    if not (repository / FILE).is_file():
        return pd.DataFrame(columns=COLUMNS)
    table = pd.read_csv(
        repository / FILE,
        comment="#",
        dtype={"agrees": str, "reason": str},
        na_values=[""],
        keep_default_na=False,
    )
    return table.fillna({"agrees": "", "reason": ""})


def put(repository: Path, reference: Path, environment: str, *found: pd.DataFrame) -> None:
    """Put the rows of some ids in place of those of an earlier run, and write the table and the README.

    found : as `comparison.compare` gives them. Figures that were never sampled have that as their reason.
    """
    before = read_table(repository).dropna(subset="ours")
    fresh = {rows["id"].iloc[0]: rows for rows in found}
    entries = {entry.id: entry for entry in ENTRIES}
    parts = []
    for id in values(reference)["id"].unique():
        known = before[before["id"] == id].set_index("quantity")
        rows = fresh[id] if id in fresh else compare(entries[id], reference, known["ours"], known["allowed"])
        waiting = rows["ours"].isna() & (rows["reason"] == "")
        parts.append(rows.assign(reason=rows["reason"].mask(waiting, NOT_RUN)))
    table = pd.concat(parts)
    path = repository / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"# {environment}\n{as_text(table)}", encoding="utf-8")
    readme = repository / "README.md"
    shown = markdown(read_table(repository), ENTRIES)
    readme.write_text(BLOCK.sub(lambda _: shown, readme.read_text(encoding="utf-8")), encoding="utf-8")


def as_text(table: pd.DataFrame) -> str:
    """CSV with as many digits as tell ours from the reference, and not those that differ by machine."""
    forms = {"ours": "{:.7g}", "reference": "{:.7g}", "difference": "{:.1e}", "allowed": "{:.2g}"}
    shown = {
        name: [form.format(x) if pd.notna(x) else "" for x in table[name]] for name, form in forms.items()
    }
    text = io.StringIO()
    table.assign(**shown)[COLUMNS].to_csv(text, index=False)
    return text.getvalue()
