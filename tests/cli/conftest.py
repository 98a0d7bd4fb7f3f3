"""The command `relcap`, run in the tests' own process."""

import sys

import pytest

from relcap_models import cli


@pytest.fixture
def relcap(monkeypatch, capsys):
    """Run the command in this process: exit code, standard output, standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["relcap", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return run
