"""Buildings as polygons, in the pixels of an image: from the pixels of a mask to outlines with straight walls.

`splitting` parts buildings that touch, `tracing` follows their pixels, `simplification` and `regularisation` make
the outlines simple and square, and `buildings` draws them as a mask again. The rest is what regularisation is made of:
`corners` cuts rings into walls, `directions` finds how they run, `walls` and `squaring` turn them, `gate` accepts them.
"""
