"""What this machine multiplies at best: ``python -m benchmarks.inference.peak LIBRARY float32|bfloat16``.

Prints GFLOP/s, 2 × products, of the best of several products of two square matrices.
"""

import sys
import time
from collections.abc import Callable

import numpy as np

ROWS = 4096


def by_numpy(matrix: np.ndarray, _precision: str) -> Callable[[], object]:
    return lambda: matrix @ matrix


def by_tensorflow(matrix: np.ndarray, precision: str) -> Callable[[], object]:
    import tensorflow as tf

    constant = tf.cast(tf.constant(matrix), precision)
    product = tf.function(lambda: tf.linalg.matmul(constant, constant)[0, 0])
    return lambda: product().numpy()


def by_openvino(matrix: np.ndarray, precision: str) -> Callable[[], object]:
    import workers.engines  # noqa: F401 - before openvino
    import openvino  # isort: skip
    import openvino.opset13 as ops  # isort: skip

    left, right = (ops.parameter(matrix.shape, np.float32) for _ in range(2))
    # The mean keeps the result small; the product is all of the work.
    graph = openvino.Model([ops.reduce_mean(ops.matmul(left, right, False, False), [0, 1])], [left, right])
    hint = {"float32": openvino.Type.f32, "bfloat16": openvino.Type.bf16}[precision]
    request = (
        openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": hint}).create_infer_request()
    )
    return lambda: request.infer([matrix, matrix], share_inputs=True)


LIBRARIES = {"numpy": by_numpy, "tensorflow": by_tensorflow, "openvino": by_openvino}


def main() -> None:
    """Measure one library."""
    library, precision = sys.argv[1:]
    matrix = np.random.default_rng(1).random((ROWS, ROWS), np.float32)
    product = LIBRARIES[library](matrix, precision)
    product()
    seconds = []
    for _ in range(8):
        started = time.perf_counter()
        product()
        seconds.append(time.perf_counter() - started)
    print(2e-9 * ROWS**3 / min(seconds))


if __name__ == "__main__":
    main()
