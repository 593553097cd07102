"""Fine-tuning: the layers before the head, step by step, resumable at every checkpoint."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from workers.classifier import save_weights
from workers.training.batches import plain_batches, steps_per_epoch, training_batches
from workers.training.events import Cancelled, Pace, Stage, TrainingEvent, Watch
from workers.training.images import Square
from workers.training.measure import study_figures
from workers.training.run_folder import Epoch, RunFolder
from workers.training.start import backbone_of
from worklist.classifiers.recipe import Layers, Recipe
from worklist.errors import Invalid, Unavailable

_LAST_BLOCK = ("conv5_", "bn")
"""How Keras names the layers of DenseNet's last dense block, and the normalisation behind it."""


@dataclass(frozen=True)
class Material:
    """What fine-tuning works on.

    Parameters
    ----------
    weights
        Of each image to fit to, in the loss, float32 (n,).
    """

    fit: Sequence[Square]
    weights: NDArray[np.float32]
    tune: Sequence[Square]


class FineTuning:
    """Epochs of Adam on the chosen layers and the head, until the tuning studies get no better.

    Parameters
    ----------
    network
        With the head fitted; its weights are changed, those of the best epoch are in `run.best`.
    run
        Its history has the figures after the head. Checkpoints that lie in it are continued.

    Notes
    -----
    A checkpoint holds weights, optimizer, position, loss of the epoch and the state of the dropout: a run
    that goes on takes the steps that it would have taken.
    """

    def __init__(self, network: keras.Model, recipe: Recipe, run: RunFolder, watch: Watch) -> None:
        self._network, self._recipe, self._run, self._watch = network, recipe, run, watch
        _choose_layers(network, recipe)
        self._optimizer = _optimizer(network, recipe)
        self._step, self._judge = _step(network, self._optimizer, recipe.input_size_px), _judge(network)
        self._done = tf.Variable(0, dtype=tf.int64)
        self._losses = tf.Variable(0.0, dtype=tf.float64)
        state = [variable.value for variable in (*network.variables, *self._optimizer.variables)]
        checkpoint = tf.train.Checkpoint(state=state, done=self._done, losses=self._losses)
        self._checkpoints = tf.train.CheckpointManager(checkpoint, str(run.checkpoints), max_to_keep=2)
        if latest := self._checkpoints.latest_checkpoint:
            checkpoint.restore(latest).assert_consumed()
            watch.say(Stage.FINE_TUNING, f"Going on after step {self.steps_done} of all epochs.")

    @property
    def steps_done(self) -> int:
        """How many steps of all epochs are behind."""
        return int(self._done.numpy())

    def run(self, material: Material) -> None:
        """Train until the last epoch, or until early stopping.

        Raises
        ------
        Cancelled
            If somebody stops the run; a checkpoint is saved before.
        Invalid
            If the loss is no number any more.
        Unavailable
            If a checkpoint or the weights cannot be written.
        """
        steps = steps_per_epoch(len(material.fit), self._recipe.batch)
        pace = Pace(self._watch, Stage.FINE_TUNING, steps * self._recipe.epochs)
        for epoch in range(1, self._recipe.epochs + 1):
            if self.steps_done < epoch * steps:
                self._train(epoch, steps, material, pace)
            if len(self._run.history()) <= epoch:
                self._measure(epoch, steps, material.tune)
            if epoch < self._recipe.epochs and _is_over(self._run.history(), epoch, self._recipe.patience):
                self._watch.say(Stage.FINE_TUNING, f"Ended early: nothing got better until epoch {epoch}.")
                return

    def _train(self, epoch: int, steps: int, material: Material, pace: Pace) -> None:
        """Take the steps of an epoch that are left, with a checkpoint at its end."""
        skip = self.steps_done - (epoch - 1) * steps
        if skip == 0:
            self._losses.assign(0)
        batches = training_batches(material.fit, material.weights, self._recipe, epoch=epoch, skip=skip)
        for step, batch in enumerate(batches, start=skip + 1):
            loss = float(self._step(*batch))
            if not math.isfinite(loss):
                raise Invalid(
                    f"The loss is {loss} at epoch {epoch}, step {step}: choose a smaller rate than "
                    f"{self._recipe.rate}, or mixed_precision off."
                )
            self._done.assign_add(1)
            self._losses.assign_add(loss)
            if step % self._recipe.save_every == 0 or step == steps:
                self._save()
            pace.note()
            self._tell(epoch, step, steps, pace)

    def _tell(self, epoch: int, step: int, steps: int, pace: Pace) -> None:
        """Report a step, and go on unless somebody wants to stop."""
        epochs = self._recipe.epochs
        loss = float(self._losses.numpy()) / step
        left = pace.seconds_left((epochs - epoch) * steps + steps - step)
        self._watch.tell(TrainingEvent(Stage.FINE_TUNING, epoch, epochs, step, steps, loss, {}, left))
        try:
            self._watch.check(f"epoch {epoch} of {epochs}, step {step} of {steps}")
        except Cancelled:
            self._save()
            raise

    def _save(self) -> None:
        try:
            self._checkpoints.save()
        except tf.errors.OpError as error:
            raise Unavailable(f"No checkpoint can be written: {error.message}.") from error

    def _measure(self, epoch: int, steps: int, tune: Sequence[Square]) -> None:
        """Note what the epoch reaches on the tuning studies, and keep its weights if it is the best."""
        figures = study_figures([square.image for square in tune], self._logits(epoch, tune))
        history = self._run.history()
        loss = float(self._losses.numpy()) / steps
        if figures > max(earlier.figures for earlier in history):
            keep_weights(self._network, self._run)
        self._run.note([*history, Epoch(epoch, loss, figures.kappa, figures.auc)])
        metrics = figures.as_metrics()
        epochs = self._recipe.epochs
        self._watch.tell(TrainingEvent(Stage.FINE_TUNING, epoch, epochs, steps, steps, loss, metrics))

    def _logits(self, epoch: int, tune: Sequence[Square]) -> NDArray[np.float32]:
        """Return the logit of each tuning image, float32 (n,)."""
        found = []
        for greys in plain_batches(tune, self._recipe.batch):
            found.append(self._judge(greys).numpy())
            self._watch.check(f"the tuning images after epoch {epoch}")
        return np.concatenate(found)


def keep_weights(network: keras.Model, run: RunFolder) -> None:
    """Save the weights as the best ones so far, in one piece."""
    unfinished = run.best.with_suffix(".unfinished")
    try:
        save_weights(network, unfinished)
        unfinished.replace(run.best)
    except OSError as error:
        raise Unavailable(f"The weights cannot be written to {run.path}: {error.strerror}.") from error


def _is_over(history: Sequence[Epoch], epoch: int, patience: int) -> bool:
    """Say whether the best epoch so far, the head being epoch 0, lies as far back as patience goes."""
    figures = [line.figures for line in history[: epoch + 1]]
    return epoch - figures.index(max(figures)) >= patience


def _choose_layers(network: keras.Model, recipe: Recipe) -> None:
    """Let the chosen layers learn; normalisation that does not keeps its statistics too."""
    network.trainable = True
    for layer in backbone_of(network).layers:
        is_chosen = recipe.layers is Layers.ALL or layer.name.startswith(_LAST_BLOCK)
        is_normalisation = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = is_chosen and not (is_normalisation and recipe.is_statistics_frozen)


def _optimizer(network: keras.Model, recipe: Recipe) -> keras.Optimizer:
    """Return Adam, its loss scaled where gradients have 16 bits, ready to be restored."""
    optimizer = keras.optimizers.Adam(recipe.rate)
    if backbone_of(network).layers[-1].compute_dtype == "float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(network.trainable_variables)
    return optimizer


def _step(network: keras.Model, optimizer: keras.Optimizer, size: int) -> Callable[..., tf.Tensor]:
    """Return one step as a graph: from greys (n, size, size), labels (n,) and weights (n,) to the loss."""
    variables = network.trainable_variables

    def step(greys: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = network(greys, training=True)["logit"]
            loss = tf.reduce_mean(weights * tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))
            scaled = optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    numbers = tf.TensorSpec((None,), tf.float32)
    signature = [tf.TensorSpec((None, size, size), tf.float32), numbers, numbers]
    compiled: Callable[..., tf.Tensor] = tf.function(step, input_signature=signature)
    return compiled


def _judge(network: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return the forward pass as a graph: from greys (n, size, size) to logits (n,)."""
    compiled: Callable[[tf.Tensor], tf.Tensor] = tf.function(
        lambda greys: network(greys, training=False)["logit"],
        input_signature=[tf.TensorSpec((None, None, None), tf.float32)],
    )
    return compiled
