"""Training the classifier: snapshot → candidate → metrics.

dataset     images with labels and, where known, the place of the lesion
patches     what one step sees: augmented patches or whole crops
fit         phases of training, resumable from a checkpoint
grow        a shallow network into a deep one that computes the same
lift        from patches to whole crops: where the evidence is cut off
evaluate    AUC, operating points, calibration, hits of the heat map
demo        the demo classifier from synthetic radiographs, in one command; its images,
            figures and card are in demo_images, demo_figures and demo_card
"""
