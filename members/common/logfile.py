"""The log file of a run: what its commands have printed, each line with its time."""

import contextlib
import datetime
import io
from pathlib import Path


class LogFile(io.TextIOBase):
    """A file of lines with their times, which is begun when the first is written; where it cannot be, nothing is."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self.half = ""
        self.begun = False
        """Whether this process has written a line."""

    @property
    def is_open(self) -> bool:
        """Whether lines are written."""
        return self.path is not None

    def open(self, path: Path) -> None:
        """Write to the end of a file from now on."""
        self.path, self.half, self.begun = path, "", False

    def close(self) -> None:
        """Write nothing any more."""
        self.path, self.half, self.begun = None, "", False

    def write(self, text: str) -> int:
        """Write whole lines; half a line waits for its end."""
        *lines, self.half = (self.half + text).split("\n")
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        content = "".join(f"{now}  {line.rstrip()}\n" for line in lines)
        if self.path is not None and content:
            with contextlib.suppress(OSError), self.path.open("a", encoding="utf-8") as file:
                file.write(content)
                self.begun = True
        return len(text)


LOG = LogFile()
"""That of the run that this process works on, once it is known."""
