"""The classifier on processors, by OpenVINO: the same numbers as TensorFlow in half the time.

It starts in seconds and never imports TensorFlow.
"""

import math
import os
from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray

from workers.engines.densenet import build
from workers.engines.precision import Precision
from workers.weights import Weights, read_registered
from worklist.errors import Invalid

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")

LARGEST_PASS = 4
"""Images that pass together: more are no faster (measured) and only take memory."""


_HINTS = {Precision.FLOAT32: openvino.Type.f32, Precision.BFLOAT16: openvino.Type.bf16}


class OpenVINOClassifier:
    """A DenseNet with its weights, compiled for this processor.

    Parameters
    ----------
    weights
        All arrays of the network.
    input_size_px
        Side of the square crops it takes.
    sha256
        Hash of the weights file; empty if they were not read from one.
    precision
        float32 unless `workers.engines.precision` allows another.

    Attributes
    ----------
    precision
        What it computes in: float32 as well where the processor has no bfloat16.

    Raises
    ------
    Invalid
        If the arrays are not those of a DenseNet.
    """

    def __init__(
        self,
        weights: Weights,
        *,
        input_size_px: int,
        sha256: str = "",
        precision: Precision = Precision.FLOAT32,
    ) -> None:
        self.input_size_px = input_size_px
        self.sha256 = sha256
        self._run = _Compiled(weights, ("logit", "evidence"), input_size_px, precision)
        self.precision = self._run.precision

    @classmethod
    def load(
        cls,
        weights_path: Path,
        *,
        sha256: str,
        input_size_px: int = 224,
        precision: Precision = Precision.FLOAT32,
    ) -> "OpenVINOClassifier":
        """Read a classifier and check that the weights are the registered ones.

        Raises
        ------
        Unavailable
            If the file cannot be read.
        Invalid
            If its hash is another or it does not hold a DenseNet.
        """
        weights, found = read_registered(weights_path, sha256)
        return cls(weights, input_size_px=input_size_px, sha256=found, precision=precision)

    def predict(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Judge a batch of crops.

        Parameters
        ----------
        batch
            Displayed greys, float32, shape (n, input_size_px, input_size_px), 0...1.

        Returns
        -------
        logits
            float32, shape (n,), unbounded, before the sigmoid and before calibration.
        evidence
            float32, shape (n, h, w), signed: above 0 speaks for abnormal. Its mean plus a bias
            is the logit. At 224 px h = w = 7.

        Raises
        ------
        Invalid
            If the batch has another shape.
        """
        logits, evidence = self._run(batch)
        return logits, evidence


class FeatureExtractor:
    """The last activation averaged over all places, for training a head on stored features.

    Parameters
    ----------
    weights
        All arrays of the network; those of the head do not matter.
    input_size_px
        Side of the square crops it takes.

    Raises
    ------
    Invalid
        If the arrays are not those of a DenseNet.
    """

    def __init__(self, weights: Weights, *, input_size_px: int) -> None:
        self.input_size_px = input_size_px
        self._run = _Compiled(weights, ("features",), input_size_px, Precision.FLOAT32)

    def extract(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return features, float32, shape (n, channels), not negative; 1,920 channels in DenseNet201.

        Parameters
        ----------
        batch
            Displayed greys, float32, shape (n, input_size_px, input_size_px), 0...1.

        Raises
        ------
        Invalid
            If the batch has another shape.

        Notes
        -----
        The logit is their product with the kernel of the head, plus its bias.
        """
        (features,) = self._run(batch)
        return features


class _Compiled:
    """Some outputs of the graph, compiled."""

    def __init__(
        self, weights: Weights, outputs: tuple[str, ...], input_size_px: int, precision: Precision
    ) -> None:
        self._side = input_size_px
        graph = build(weights, input_size_px=input_size_px)
        wanted = [graph.output(name) for name in outputs]
        compiled = openvino.Core().compile_model(
            openvino.Model(wanted, graph.get_parameters(), "classifier"), "CPU", _options(precision)
        )
        is_exact = compiled.get_property("INFERENCE_PRECISION_HINT") == _HINTS[Precision.FLOAT32]
        self.precision = Precision.FLOAT32 if is_exact else Precision.BFLOAT16
        self._request = compiled.create_infer_request()
        self(np.zeros((1, input_size_px, input_size_px), np.float32))

    def __call__(self, batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        if batch.ndim != 3 or batch.shape[1:] != (self._side, self._side) or not len(batch):
            raise Invalid(f"a batch has the shape (n, {self._side}, {self._side}), not {batch.shape}")
        parts = [
            self._pass(batch[start : start + LARGEST_PASS]) for start in range(0, len(batch), LARGEST_PASS)
        ]
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    def _pass(self, batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run some images; the results are copies: OpenVINO uses its buffers again."""
        results = self._request.infer([np.ascontiguousarray(batch, np.float32)], share_outputs=False)
        return [results[number] for number in range(len(results))]


def _options(precision: Precision) -> dict[str, object]:
    """Return how to compile: for the shortest wait, in exactly these numbers."""
    return {
        "PERFORMANCE_HINT": "LATENCY",
        # Without it OpenVINO takes bfloat16 wherever the processor has it, and probabilities change by 0.06.
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "INFERENCE_NUM_THREADS": threads(),
        # A pinned thread waits for whatever else its core has to do: receiver and web server run beside it.
        "ENABLE_CPU_PINNING": False,
    }


def threads() -> int:
    """Return how many cores this process may use: those of its affinity, or fewer by a container's quota.

    References
    ----------
    Linux, Documentation/admin-guide/cgroup-v2.rst, cpu.max.
    """
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = CPU_QUOTA.read_text(encoding="ascii").split()
        return min(cores, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError):  # no cgroup, or "max": no quota
        return cores
