"""Training the classifier: snapshot → candidate → metrics.

dataset     images with labels and, where known, the place of the lesion
patches     what one step sees: augmented patches or whole crops
fit         phases of training, resumable from a checkpoint
head        the last layer alone, on features computed once
evaluate    AUC, operating points, calibration, hits of the heat map
demo        the demo classifier from synthetic radiographs, in one command
"""
