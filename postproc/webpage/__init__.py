"""The page that tells all of a run: an HTML file with all that it shows in it.

`story` tells what the stages have left; `measures`, `charts` and `scores` how the run scores; `survey` and `ground`
where tiles and outlines lie on earth; `gallery` shows tiles; `page` puts all of it into `page.html.jinja`. The map is
Leaflet, which is in `leaflet/` with its licence.
"""
