"""Buildings on earth: outlined over images that touch, and on the map.

`blocks` cuts a large mask without tearing an object apart,
`outlining` is the one pass that outlines images (`outline_images`), `footprints` puts buildings into a CRS.
"""
