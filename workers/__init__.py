"""Celery workers: the only place with OpenCV, OpenVINO and TensorFlow.

``app`` and ``tasks`` are loaded by every worker. ``engines`` runs the classifier and chooses what with;
``classifier`` (TensorFlow) is loaded by training, and for inference only on a GPU. Neither runtime is imported
before the fork: a process that imported TensorFlow before it hangs.
"""
