"""The one exception that bad input raises, in every package."""


class InputError(ValueError):
    """An error of the caller: what was given cannot be used.

    The message is one line: what was got and where, the rule it breaks, the cure. The command line prints
    it without a traceback and ends with exit code 2; whoever raises it has changed nothing on disk.
    """
