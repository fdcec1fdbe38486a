"""Aerial scenes with exact masks, drawn from a seed: data for a newcomer who has none.

`scenes.draw_scene` draws one and `scenes.write_scenes` a data set; `styles` has what neighbourhoods look like,
`layouts` where things go, `roofs` and `painting` how they are painted.
"""
