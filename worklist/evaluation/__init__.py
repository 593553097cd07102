"""What a classifier is worth: calibration, operating points, figures with intervals, and comparisons. Pure.

interval          a figure with its 95 % interval; shares by Wilson's
cases             images and studies with label and calibrated probability
calibration       Platt scaling of each body part, and how true probabilities are
operating_points  the two thresholds of each body part
roc               ROC curve, AUC and the difference of two AUCs by DeLong
agreement         sensitivity, specificity, accuracy, Cohen's kappa, McNemar's test
report            all of it for a card
comparison        a candidate against the version in charge: the questions of the gate
leaks             patients or pixels that were learnt from and measured on
markdown          a card as a page of text
"""
