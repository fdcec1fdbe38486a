"""What every room uses: the error that bad input raises, files that are whole or absent, progress, tables, the console.

`errors`, `files`, `progress`, `workers`, `tables` and `compiled` are for libraries; `console`, `lazy_commands` and
`choices` for commands.
"""
