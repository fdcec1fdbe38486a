"""Addresses as they may be written down and shown: without the passwords in them."""

import re

IN_ADDRESS = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+(?=@)")
IN_QUERY = re.compile(r"(?<=[?&])(\w*password)=[^&\s'\"]+", re.IGNORECASE)


def hide_passwords(text: str) -> str:
    """Return a text in which three stars stand for each password of an address.

    >>> hide_passwords("tune --storage postgresql://me:secret@host/studies?sslpassword=too")
    'tune --storage postgresql://me:***@host/studies?sslpassword=***'
    """
    return IN_QUERY.sub(r"\1=***", IN_ADDRESS.sub(r"\1:***", text))
