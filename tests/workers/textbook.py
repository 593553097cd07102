"""Grad-CAM as published, by a gradient tape: what our closed form is compared with."""

import keras
import numpy as np
import tensorflow as tf


def textbook_maps(network, greys, sign):
    """Return mean gradient per channel, weighted channels averaged, ReLU, maximum 1; float32 (n, h, w).

    Selvaraju et al., Grad-CAM, ICCV 2017, equations 1 and 2. ``sign`` is 1 for abnormal, -1 for normal.
    """
    layer = network.get_layer("dropout")
    inner = keras.Model(network.input, layer.input)
    head, logit = network.get_layer("head"), network.get_layer("logit")
    features = inner(greys, training=False)
    with tf.GradientTape() as tape:
        tape.watch(features)
        chosen = sign * logit(head(features)[..., 0])
    importance = tf.reduce_mean(tape.gradient(chosen, features), axis=(1, 2), keepdims=True)
    weighted = tf.nn.relu(tf.reduce_mean(importance * features, axis=-1)).numpy()
    return weighted / np.maximum(weighted.max((1, 2), keepdims=True), 1e-30)
