"""Images on earth: where they lie, those that touch joined, and their buildings on the map.

`frames` says where an image is, `mosaic` joins images, `blocks` cuts a large mask without tearing an object apart,
`outlining` is the one pass that outlines images (`outline_images`), `footprints` puts buildings into a CRS.
"""
