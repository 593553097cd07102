"""Celery workers: the only place with OpenCV and TensorFlow.

``app`` and ``tasks`` are loaded by every worker; ``classifier`` (TensorFlow) only in the child of a worker on
the inference queue, since a process that imported TensorFlow before the fork hangs.
"""
