"""What every room uses: the error that bad input raises, files that are whole or absent, progress, and the console.

`errors`, `files` and `progress` are for libraries; `console` is for commands alone.
"""
