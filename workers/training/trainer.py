"""A training run from snapshot to weights and logits: images, head on cached features, fine-tuning.

Run it in a process of its own: TensorFlow gives memory back only at its end, and a kill costs nothing but the
steps since the last checkpoint.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from workers.classifier import build_network, load_weights
from workers.training import memory
from workers.training.balance import weights_of
from workers.training.events import Report, ShouldStop, Stage, TrainingEvent, Watch, ignore, never
from workers.training.features import FeatureCache, extractor, features_folder
from workers.training.finetune import FineTuning, Material, keep_weights
from workers.training.head import Examples, fit_head, logits_of
from workers.training.images import Square, check_labels, prepare_squares, with_role, write_whole
from workers.training.measure import study_figures
from workers.training.run_folder import Epoch, RunFolder, alone_in
from workers.training.start import Start
from workers.weights import sha256_of
from worklist.classifiers.recipe import Layers, Precision, Recipe
from worklist.dataset.snapshot import Role, SnapshotImage


@dataclass(frozen=True)
class Places:
    """Where a run writes.

    Parameters
    ----------
    run
        Folder of this run: what `workers.training.run_folder` lists.
    cache
        Folder of squares and features, which runs share; it can be deleted between runs.
    """

    run: Path
    cache: Path


@dataclass(frozen=True)
class Trained:
    """What a run leaves.

    Parameters
    ----------
    weights_path
        As ``workers.classifier.load_weights`` reads it.
    logits
        By name of the image, those to tune and to test with that could be read; of the stored weights.
    history
        Figures after the head and after each epoch of fine-tuning.
    """

    weights_path: Path
    sha256: str
    logits: Mapping[str, float]
    history: Sequence[Epoch]


def train(
    images: Sequence[SnapshotImage],
    recipe: Recipe,
    start: Start,
    places: Places,
    *,
    report: Report = ignore,
    should_stop: ShouldStop = never,
) -> Trained:
    """Train, or go on where a run with the same arguments was stopped or killed.

    Parameters
    ----------
    images
        Of a snapshot, all roles.
    report
        Gets progress, from this thread.
    should_stop
        Asked at every step.

    Raises
    ------
    Invalid
        If images, start or recipe cannot be trained with; the message says why.
    Conflict
        If the folder holds another run, or another process trains in it; `Cancelled`, if somebody stops this.
    Unavailable
        If memory does not suffice, or files cannot be read or written.

    Notes
    -----
    Sets the seeds of Python, NumPy and TensorFlow.
    """
    recipe = _with_known_precision(recipe)
    with alone_in(places.run):
        run = RunFolder(places.run, images, recipe, start.name)
        logits = run.logits()
        if logits is None:
            memory.check(recipe, len(images), has_gpu=_has_gpu())
            logits = _Training(recipe, start, places.cache, run, Watch(report, should_stop)).logits(images)
        return Trained(run.weights, sha256_of(run.weights), logits, run.history())


class _Training:
    """The stages of one run, in order."""

    def __init__(self, recipe: Recipe, start: Start, cache: Path, run: RunFolder, watch: Watch) -> None:
        self._recipe, self._start, self._cache, self._run, self._watch = recipe, start, cache, run, watch

    def logits(self, images: Sequence[SnapshotImage]) -> dict[str, float]:
        """Train and return the logits of the images to tune and to test with."""
        if self._start.warning:
            self._watch.say(Stage.START, self._start.warning)
        squares = prepare_squares(images, self._recipe.input_size_px, self._cache, self._watch)
        check_labels([square.image for square in squares])
        keras.utils.set_random_seed(self._recipe.seed)
        network = self._start.network()
        if self._run.history():
            # After a kill. The best epoch is the head until there is a checkpoint, and then that is restored.
            load_weights(network, self._run.best)
        else:
            self._fit_head(network, squares)
        if self._recipe.layers is not Layers.HEAD:
            self._fine_tune(network, squares)
        load_weights(network, self._run.best)
        return self._finish(network, images, squares)

    def _features(self, network: keras.Model) -> FeatureCache:
        """Return the features of a network as it is now."""
        folder = features_folder(self._cache, network, self._recipe.input_size_px)
        chosen = extractor(network, self._recipe.input_size_px, is_on_gpu=_has_gpu())
        return FeatureCache(chosen, folder, self._watch)

    def _fit_head(self, network: keras.Model, squares: Sequence[Square]) -> None:
        """Fit the head on features of the frozen backbone: of each image, and of each as in a mirror."""
        features = self._features(network)
        fit, tune = (
            Examples([square.image for square in chosen], features.features(chosen), self._weights(chosen))
            for chosen in (with_role(squares, Role.FIT), with_role(squares, Role.TUNE))
        )
        if self._recipe.flips:
            fit = fit.and_also(features.features(with_role(squares, Role.FIT), is_mirrored=True))
        self._watch.say(Stage.HEAD, f"Fitting the head to {len(fit.images)} feature vectors.")
        iterations, seed = self._recipe.head_iterations, self._recipe.seed
        head = fit_head(fit, tune, self._watch, iterations=iterations, seed=seed)
        head.put_into(network)
        keep_weights(network, self._run)
        self._run.note([Epoch(0, None, head.figures.kappa, head.figures.auc)])
        self._watch.tell(TrainingEvent(Stage.HEAD, metrics=head.figures.as_metrics()))

    def _weights(self, squares: Sequence[Square]) -> NDArray[np.float32]:
        images = [square.image for square in squares]
        return weights_of(images, is_balanced=self._recipe.class_weights)

    def _fine_tune(self, network: keras.Model, squares: Sequence[Square]) -> None:
        """Train the chosen layers; the weights of the best epoch are on disk afterwards."""
        fit = with_role(squares, Role.FIT)
        material = Material(fit, self._weights(fit), with_role(squares, Role.TUNE))
        is_half = self._recipe.mixed_precision is Precision.ON
        trained = self._in_half_precision(network) if is_half else network
        FineTuning(trained, self._recipe, self._run, self._watch).run(material)

    def _in_half_precision(self, network: keras.Model) -> keras.Model:
        """Return the same network with a backbone that computes in 16 bits and keeps weights of 32."""
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_float16")
        try:
            twin = build_network(self._start.backbone())
        finally:
            keras.config.set_dtype_policy(before)
        for ours, theirs in zip(network.variables, twin.variables, strict=True):
            theirs.assign(ours.value)
        return twin

    def _finish(
        self, network: keras.Model, images: Sequence[SnapshotImage], squares: Sequence[Square]
    ) -> dict[str, float]:
        """Write weights and logits, and let go of what only a run in progress needs."""
        judged = with_role(squares, Role.TUNE, Role.TEST)
        kernel = np.asarray(network.get_layer("head").kernel).ravel()
        bias = float(network.get_layer("logit").bias)
        logits = logits_of(self._features(network).features(judged), kernel, bias)
        write_whole(self._run.weights, self._run.best.read_bytes())
        named = {square.image.name: float(logit) for square, logit in zip(judged, logits, strict=True)}
        self._run.finish(images, named)
        shutil.rmtree(self._run.checkpoints, ignore_errors=True)
        self._run.best.unlink(missing_ok=True)
        tune = [square.image for square in with_role(squares, Role.TUNE)]
        figures = study_figures(tune, np.array([named[image.name] for image in tune]))
        self._watch.tell(TrainingEvent(Stage.EVALUATION, metrics=figures.as_metrics()))
        return named


def _with_known_precision(recipe: Recipe) -> Recipe:
    """Return the recipe with on or off for auto: a run does not go on in another precision elsewhere."""
    if recipe.mixed_precision is not Precision.AUTO:
        return recipe
    return replace(recipe, mixed_precision=Precision.ON if _has_gpu() else Precision.OFF)


def _has_gpu() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))
