"""What the command line says where an error ends it."""

from __future__ import annotations

import errno

from relcap_models.errors import RelcapError

_REMEDIES = {
    errno.EACCES: "Change its permissions, or give another place",
    errno.EPERM: "Change its permissions, or give another place",
    errno.EROFS: "Give a place that can be written to",
    errno.EEXIST: "A file stands where a folder is needed: give another place, or move it away",
    errno.ENOTDIR: "A file stands where a folder is needed: give another place, or move it away",
    errno.EISDIR: "A folder stands where a file is needed: give another place, or move it away",
    errno.ENAMETOOLONG: "Give a shorter name",
    errno.ENOENT: "Correct the path",
    errno.ENOSPC: "Make room, or give a place on another disk",
}


def of_the_system(error: OSError) -> str:
    """What the operating system refused, of which file, and what to do."""
    # Of a move the second name is the place that was asked for, the first a temporary one.
    path = error.filename2 or error.filename
    remedy = _REMEDIES.get(error.errno, "Look whether the place can be read and written, or give another")
    return f"{'' if path is None else f'{path}: '}{error.strerror}. {remedy}."


def headline(error: RelcapError) -> str:
    """The kind of error, and how many problems follow."""
    count = len(error.problems)
    return (
        f"{type(error).__name__}: {count} problem{'s' * (count != 1)}"
        if count
        else f"{type(error).__name__}:"
    )
