"""What every room uses: the error that bad input raises, files that are whole or absent, progress, tables, the console.

`errors`, `files`, `progress` and `tables` are for libraries; `console` and `lazy_commands` are for commands alone.
"""
