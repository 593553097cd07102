"""The last layer, fitted on features: logistic regression, its penalty chosen on the tuning studies."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from workers.training.events import Pace, Stage, Watch
from workers.training.features import Features
from workers.training.measure import StudyFigures, study_figures
from worklist.dataset.snapshot import SnapshotImage

PENALTIES = tuple(float(value) for value in np.logspace(1, -4, 11))
"""Strengths of the L2 penalty per image, on features of mean square 1, strong to weak."""


@dataclass(frozen=True)
class Examples:
    """Features with what is known of their images.

    Parameters
    ----------
    features
        float32 (n, channels).
    weights
        Of each image in the loss, float32 (n,).
    """

    images: Sequence[SnapshotImage]
    features: Features
    weights: NDArray[np.float32]

    @property
    def labels(self) -> NDArray[np.bool_]:
        """Whether each image is abnormal, shape (n,)."""
        return np.array([image.is_abnormal for image in self.images])

    def loss(self, logits: NDArray[np.float32]) -> float:
        """Return the mean cross-entropy of logits (n,), weighted as in training."""
        return float(np.mean(self.weights * (np.logaddexp(0, logits) - self.labels * logits)))

    def and_also(self, features: Features) -> "Examples":
        """Return the examples with other features of the same images behind them, such as mirrored ones."""
        both = np.concatenate([self.features, features])
        return Examples([*self.images, *self.images], both, np.concatenate([self.weights, self.weights]))


@dataclass(frozen=True)
class Head:
    """A head: logit = features · kernel + bias.

    Parameters
    ----------
    kernel
        float32 (channels,), of values that a weights file holds (float16).
    penalty
        The strength it was fitted with.
    loss, figures
        Weighted cross-entropy of the tuning images, and what it reaches on their studies.
    """

    kernel: NDArray[np.float32]
    bias: float
    penalty: float
    loss: float
    figures: StudyFigures

    def logits(self, features: Features) -> NDArray[np.float32]:
        """Return the logit of each image, float32 (n,), as the network with this head gives it."""
        return logits_of(features, self.kernel, self.bias)

    def put_into(self, network: keras.Model) -> None:
        """Set the head of a network."""
        network.get_layer("head").kernel.assign(self.kernel.reshape(1, 1, -1, 1))
        network.get_layer("logit").bias.assign(self.bias)


def logits_of(features: Features, kernel: NDArray[np.float32], bias: float) -> NDArray[np.float32]:
    """Return features (n, channels) · kernel (channels,) + bias.

    Averaging over places and weighting channels are both linear, so this is what the network computes with its
    1x1 convolution first and the mean last.
    """
    return np.asarray(features @ kernel + np.float32(bias), np.float32)


def fit_head(fit: Examples, tune: Examples, watch: Watch, *, iterations: int, seed: int) -> Head:
    """Fit heads with penalties from strong to weak and keep the best.

    Parameters
    ----------
    fit
        What weights are fitted to; both labels among those with a weight above 0.
    tune
        What the penalty is chosen with.
    iterations
        Most iterations of L-BFGS for each penalty.

    Notes
    -----
    The best one has the smallest weighted cross-entropy over the tuning images, which is what fine-tuning
    lowers further. Kappa jumps by whole studies and is too coarse to choose between neighbours on a few hundred
    of them; AUC is blind to the scale of the logits, and had chosen a head with AUC 0.92 and kappa 0.
    Each fit starts from the one before. One that has not converged is judged like any other.
    A channel's penalty grows with its mean square, its mean included: dropping channels, as fine-tuning does,
    disturbs the logit by just that. With features divided by their deviation instead, on a random backbone with
    large means, dropout raised a loss of 0.4 to 1.8; with this scale to 0.7.

    Raises
    ------
    Cancelled
        If somebody stops the run.

    References
    ----------
    Wager, Wang, Liang, Dropout Training as Adaptive Regularization, NIPS 2013, section 3.
    """
    pace = Pace(watch, Stage.HEAD, len(PENALTIES))
    mean, scale = _scale(fit.features)
    scaled = (fit.features - mean) / scale
    solver = LogisticRegression(
        solver="lbfgs", max_iter=iterations, warm_start=True, random_state=seed, tol=1e-5
    )
    heads: list[Head] = []
    for penalty in PENALTIES:
        solver.C = 1 / (penalty * float(fit.weights.sum()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            solver.fit(scaled, fit.labels, sample_weight=fit.weights)
        heads.append(_head(solver, mean, scale, penalty, tune))
        pace.advance()
    return min(heads, key=lambda head: head.loss)


def _scale(features: Features) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mean and the root of the mean square of each channel; a silent channel is not blown up."""
    scale = np.sqrt(np.square(features).mean(axis=0))
    smallest = max(1e-3 * float(scale.max()), 1e-6)
    return features.mean(axis=0), np.maximum(scale, np.float32(smallest))


def _head(
    solver: LogisticRegression,
    mean: NDArray[np.float32],
    scale: NDArray[np.float32],
    penalty: float,
    tune: Examples,
) -> Head:
    """Turn what was fitted to scaled features into a head for features as they are."""
    kernel = (solver.coef_[0] / scale).astype(np.float16).astype(np.float32)
    # With the rounded kernel, so that an average image gets its exact logit.
    bias = float(np.float32(solver.intercept_[0] - kernel @ mean))
    logits = logits_of(tune.features, kernel, bias)
    return Head(kernel, bias, penalty, tune.loss(logits), study_figures(tune.images, logits))
