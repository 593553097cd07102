"""The engines side by side with what tutorials do: ``python -m benchmarks.inference --help``.

ways       the contenders: tutorial, the same traced, TensorFlow as the product uses it, OpenVINO
contender  one of them in a process of its own, timed
peak       float32 matrix products a second of this machine
start      a worker from its start to its first result
"""
