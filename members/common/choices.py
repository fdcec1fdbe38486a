"""The words and numbers that commands name in their help, and maps in their bands, apart from the code that they stand
for: it takes a second to load, and help should not."""

from typing import Literal

BANDS = ("building", "border", "contact")
"""What a contact member tells of each pixel: building or not, near a building's border, near two buildings."""
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
"""Of a network's activations."""
MergeName = Literal["mean", "gmean", "power", "max", "min"]
"""How what was seen in several views becomes one probability."""
EngineName = Literal["auto", "keras", "openvino", "onnx"]
"""What computes networks; auto is the fastest."""
ExportFormat = Literal["onnx", "openvino"]
Activation = Literal["none", "sigmoid"]
"""What makes probabilities of the values of another program's maps."""
Method = Literal["auto", "mean", "single", "greedy"]
"""How members are weighed."""
CalibrationName = Literal["isotonic", "temperature"]
Objective = Literal["pooled_iou", "mean_iou", "dice", "boundary_iou", "building_f1"]
BlendObjective = Literal["pooled_iou", "mean_iou", "dice"]
"""What can be maximised."""
KeepName = Literal["likely", "proven"]
"""How sure a gain has to be for its step to be kept."""
WEIGHT_TRIALS, BUILDING_TRIALS = 200, 50
"""Of each study, where the user says no number."""
