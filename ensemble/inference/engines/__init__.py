"""What computes a network's forward pass: Keras itself, OpenVINO or ONNX Runtime.

`table` is the table of engines, `forward` how each makes its forward pass, `conversion` turns Keras networks into ONNX
and keeps what it made beside the weights, `choice` times engines against one another, `quantisation` makes networks of
8 bits, `judgement` tells whether they cost anything, and `exporting` writes networks for other programs.
"""
