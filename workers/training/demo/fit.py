"""Fit a network to a snapshot in phases, from patches to whole crops, resumable at any step."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from workers.training.demo.dataset import Snapshot
from workers.training.demo.patches import Batch, Look, batches

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Phase:
    """One stretch of training with the same kind of images.

    Parameters
    ----------
    size_px
        Side of the patches; the input size of the classifier for whole crops.
    batch
        Images per step.
    steps
        Number of steps.
    rate, last_rate
        Learning rate at the beginning and, along half a cosine, at the end.
    is_statistics_frozen
        Batch normalisation keeps its moving statistics: cheaper, and right for small batches.
    place_weight
        Weight of the loss over cells of the map against the loss over images.
    """

    size_px: int
    batch: int
    steps: int
    rate: float
    last_rate: float
    is_statistics_frozen: bool = False
    place_weight: float = 0.5


@dataclass(frozen=True)
class Progress:
    """Where a run stands, for a log line or a page."""

    phase: int
    step: int
    steps: int
    loss: float
    seconds_left: float


@dataclass(frozen=True)
class Recipe:
    """All that decides the outcome of a run, apart from the snapshot.

    Parameters
    ----------
    warm_up
        Steps over which each phase's learning rate rises from 0.
    save_every
        Steps between checkpoints.
    """

    phases: tuple[Phase, ...]
    seed: int = 1
    input_size_px: int = 224
    stride_px: int = 32
    warm_up: int = 40
    save_every: int = 50


class Fit:
    """A run that can be stopped and resumed.

    Parameters
    ----------
    network
        As `workers.classifier.build_network` returns it; its weights are changed.
    folder
        Where checkpoints lie; one that is there already is continued.
    cell
        Scale and shift from evidence to the logit of one cell, to begin with.
    report
        Called after every step.
    """

    def __init__(
        self,
        network: keras.Model,
        recipe: Recipe,
        folder: Path,
        *,
        cell: tuple[float, float] = (1.0, 0.0),
        report: Callable[[Progress], None] | None = None,
    ) -> None:
        self._network, self._recipe, self._report = network, recipe, report or log_progress
        self._optimizer = keras.optimizers.Adam(recipe.phases[0].rate, global_clipnorm=5.0)
        # Scale and shift from evidence to the logit of a cell: needed for training only.
        self._cell = [tf.Variable(cell[0], name="cell_scale"), tf.Variable(cell[1], name="cell_shift")]
        self._cell_optimizer = keras.optimizers.Adam(1e-2)
        self._optimizer.build(network.trainable_variables)
        self._cell_optimizer.build(self._cell)
        self._done = tf.Variable(0, dtype=tf.int64)
        self._checkpoints = tf.train.CheckpointManager(
            tf.train.Checkpoint(
                network=network,
                optimizer=self._optimizer,
                cell=self._cell,
                cell_optimizer=self._cell_optimizer,
                done=self._done,
            ),
            str(folder),
            max_to_keep=2,
        )
        self._checkpoints.restore_or_initialize()
        self._started = time.monotonic()
        self._begun_at = self.steps_done

    @property
    def cell(self) -> tuple[float, float]:
        """Return scale and shift from evidence to the logit of one cell."""
        return float(self._cell[0].numpy()), float(self._cell[1].numpy())

    @property
    def steps_done(self) -> int:
        """Return how many steps of all phases are behind."""
        return int(self._done.numpy())

    def run(self, snapshot: Snapshot, *, until_phase: int | None = None) -> list[float]:
        """Train through the phases that are left and return the loss of each step made.

        Parameters
        ----------
        until_phase
            Stop before this phase; None for all.
        """
        losses: list[float] = []
        first = 0
        for number, phase in enumerate(self._recipe.phases[:until_phase]):
            skip = self.steps_done - first
            first += phase.steps
            if skip >= phase.steps:
                continue
            losses += self._run_phase(number, phase, snapshot, skip)
        return losses

    def _run_phase(self, number: int, phase: Phase, snapshot: Snapshot, skip: int) -> list[float]:
        """Train one phase from step `skip` on."""
        recipe = self._recipe
        step = self._step_function(phase)
        look = Look(phase.size_px, recipe.input_size_px, recipe.stride_px)
        source = batches(snapshot, look, count=phase.batch, seed=recipe.seed + 1000 * number, skip=skip)
        losses = []
        for at in range(skip, phase.steps):
            self._optimizer.learning_rate.assign(rate_at(phase, at, recipe.warm_up))
            losses.append(float(step(*_tensors(next(source)))))
            self._done.assign_add(1)
            if self.steps_done % recipe.save_every == 0 or at + 1 == phase.steps:
                self._checkpoints.save()
            self._tell(number, losses)
        return losses

    def _tell(self, number: int, losses: Sequence[float]) -> None:
        """Report the progress of the whole run."""
        steps = sum(phase.steps for phase in self._recipe.phases)
        made = self.steps_done - self._begun_at
        each = (time.monotonic() - self._started) / max(made, 1)
        loss = float(np.mean(losses[-20:]))
        self._report(Progress(number, self.steps_done, steps, loss, each * (steps - self.steps_done)))

    def _step_function(self, phase: Phase) -> Callable[..., tf.Tensor]:
        """Return one step of this phase as a graph."""
        for layer in _normalisations(self._network):
            layer.trainable = not phase.is_statistics_frozen
            layer.momentum = 0.9
        variables = self._network.trainable_variables

        def step(greys: tf.Tensor, labels: tf.Tensor, cells: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                outputs = self._network(greys, training=True)
                loss = _loss(outputs, labels, cells, weights, self._cell, phase.place_weight)
            gradients, cell = tape.gradient(loss, [variables, self._cell])
            self._optimizer.apply_gradients(zip(gradients, variables, strict=True))
            self._cell_optimizer.apply_gradients(zip(cell, self._cell, strict=True))
            return loss

        square = tf.TensorSpec((None, None, None), tf.float32)
        signature = [square, tf.TensorSpec((None,)), square, square]
        compiled: Callable[..., tf.Tensor] = tf.function(step, input_signature=signature)
        return compiled


def _normalisations(network: keras.Model) -> list[keras.layers.Layer]:
    """Return all batch normalisations of a network."""
    return [layer for layer in network._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]


def _tensors(batch: Batch) -> tuple[tf.Tensor, ...]:
    """Return a batch as tensors, in the order of a step's arguments."""
    return tuple(tf.constant(v) for v in (batch.greys, batch.labels, batch.cells, batch.weights))


def _loss(
    outputs: dict[str, tf.Tensor],
    labels: tf.Tensor,
    cells: tf.Tensor,
    weights: tf.Tensor,
    cell: list[tf.Variable],
    place_weight: float,
) -> tf.Tensor:
    """Return the cross-entropy over images plus that over cells of the map."""
    image = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, outputs["logit"]))
    logits = cell[0] * outputs["evidence"] + cell[1]
    places = weights * tf.nn.sigmoid_cross_entropy_with_logits(cells, logits)
    return image + place_weight * tf.reduce_sum(places) / (tf.reduce_sum(weights) + 1.0)


def rate_at(phase: Phase, step: int, warm_up: int) -> float:
    """Return the learning rate of a step: up over `warm_up` steps, then down half a cosine."""
    rise = min(1.0, (step + 1) / max(warm_up, 1))
    fall = 0.5 * (1 + np.cos(np.pi * step / max(phase.steps, 1)))
    return float(rise * (phase.last_rate + (phase.rate - phase.last_rate) * fall))


def log_progress(progress: Progress) -> None:
    """Write a line every tenth step."""
    if progress.step % 10 == 0:
        log.info(
            "phase=%d step=%d/%d loss=%.4f minutes_left=%.1f",
            progress.phase,
            progress.step,
            progress.steps,
            progress.loss,
            progress.seconds_left / 60,
        )
