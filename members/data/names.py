"""Names that become those of files: of members, parts and images, wherever they were read."""

from members.common.errors import InputError

LONGEST = 200
"""Bytes of UTF-8, so that endings and temporary files have room in the 255 of file systems."""


def check_name(name: str, what: str) -> str:
    """Return a name that can be a file's in any folder.

    Args:
        name: without an ending.
        what: is named, such as "image".

    Raises:
        InputError: it is empty, hidden, a path, too long, or has characters that are not printed, such as a newline.

    >>> check_name("tile-7.a b", "image")
    'tile-7.a b'
    """
    printed = name.isprintable()
    if not printed or name[:1] in ("", ".") or {"/", "\\"} & set(name) or len(name.encode()) > LONGEST:
        raise InputError(
            f"{what} {name[:40]!r}: no name of a file; it has 1 to {LONGEST} bytes, all of them printed, no '/' nor "
            "'\\', and no '.' in front"
        )
    return name
