"""The demo classifier from synthetic radiographs: python -m workers.training.demo.

dataset     images with labels and the place of the lesion
images      synthetic radiographs as such a set
patches     what one step sees: augmented patches or whole crops
fit         phases of training, resumable from a checkpoint
grow        a shallow network into a deep one that computes the same
lift        from patches to whole crops: where the evidence is cut off
evaluate    AUC, operating points, calibration, hits of the heat map
card        calibration and the card beside the weights
figures     what it reaches on patients that it has not seen
"""
