"""Whether a file stands at a path that somebody wrote, whatever that path is."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

# Names that no file can have: too long, with signs that the system forbids, links in a circle.
_IMPOSSIBLE = (errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP)


def is_file(path: Path) -> bool:
    """True if a file stands there; False also for a name that no file can have.

    Raises
    ------
    OSError
        If it cannot be told, as in a folder that may not be entered: a table that is hidden is not absent,
        and a simulation must not take its place.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        if error.errno in _IMPOSSIBLE:
            return False
        raise
    return stat.S_ISREG(mode)
