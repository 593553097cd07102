"""Which engine this process uses: OpenVINO on processors, TensorFlow on a GPU."""

from pathlib import Path

from workers.engines.precision import Precision, allowed
from workers.pipeline import Network
from worklist import logs, settings
from worklist.errors import Unavailable, WorklistError

log = logs.logger(__name__)

DEVICES = Path("/dev")


def load(weights_path: Path, *, sha256: str, input_size_px: int) -> Network:
    """Read a classifier into the engine that ``WORKLIST_ENGINE`` names, or that suits this machine.

    Raises
    ------
    Unavailable
        If the weights cannot be read, or OpenVINO was asked for and does not run here.
    Invalid
        If the weights are not the registered ones or not those of the network.
    """
    wanted = settings.current().engine
    if wanted == "tensorflow" or (wanted == "auto" and tensorflow_sees_gpu()):
        return _tensorflow(weights_path, sha256, input_size_px)
    try:
        return _openvino(weights_path, sha256, input_size_px)
    except WorklistError:
        raise  # The weights are at fault, and another engine would say the same.
    except Exception as error:
        if wanted == "openvino":
            raise Unavailable(
                f"OpenVINO does not run here ({error}); WORKLIST_ENGINE names the engine"
            ) from error
        log.exception("OpenVINO does not run here: TensorFlow takes its place, which is slower on a processor")
        return _tensorflow(weights_path, sha256, input_size_px)


def tensorflow_sees_gpu() -> bool:
    """Say whether TensorFlow can use a GPU; it is not imported where there is no device."""
    if not any(DEVICES.glob("nvidia[0-9]*")):
        return False
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def _openvino(weights_path: Path, sha256: str, input_size_px: int) -> Network:
    from workers.engines.openvino import OpenVINOClassifier

    precision = allowed(sha256, Precision(settings.current().precision))
    return OpenVINOClassifier.load(
        weights_path, sha256=sha256, input_size_px=input_size_px, precision=precision
    )


def _tensorflow(weights_path: Path, sha256: str, input_size_px: int) -> Network:
    import tensorflow as tf

    from workers.classifier import Classifier

    for gpu in tf.config.list_physical_devices("GPU"):
        # Otherwise this process takes all of its memory, and training finds none.
        tf.config.experimental.set_memory_growth(gpu, True)
    # On GPUs since Ampere, TensorFlow multiplies with ten bits of mantissa unless it is told not to.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    return Classifier.load(weights_path, sha256=sha256, input_size_px=input_size_px)
