"""The sections of the report, one file per question. Each turns tables into blocks; none knows HTML."""
