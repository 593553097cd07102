"""Ways to run the classifier; each is a `workers.pipeline.Network`.

choice      which one this process uses
openvino    on processors, by OpenVINO, without TensorFlow
densenet    the network as an OpenVINO graph, from the arrays of a weights file
precision   what bfloat16 costs on a site's own images, and whether it may be used
__main__    ``python -m workers.engines measure``: measures that

The network in TensorFlow is `workers.classifier`: the reference, for training, and for GPUs.
"""

import sys

# Importing openvino reports that to Google Analytics, unless this package is missing (openvino.tools.ovc). A
# hospital's worker calls nobody: here it is missing, and openvino takes the stand-in that it brings along.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
