"""The sections of the report, one file per question. Each turns tables into `Section` blocks; none knows HTML."""
