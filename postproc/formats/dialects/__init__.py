"""The forms that competitions give their submissions, told by name or by a sample.

`dialect` is the table of them, `rows` reads and writes CSV files, plain or gzipped, `images` finds the images in them,
`samples` follows a sample.
"""
