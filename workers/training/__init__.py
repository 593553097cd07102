"""Training a classifier from a snapshot: python -m workers.training.

recipe       all that decides the outcome apart from images and start
start        where the weights come from: ImageNet, a registered version, chance
memory       does it fit, asked before the start
events       progress, as a page or a log gets it
images       each image cropped once, as the classifier sees it
balance      class weights by body part
batches      squares, turned and mirrored, as a stream of tensors
features     what a frozen backbone makes of each image, computed once
head         the last layer, fitted on features
measure      kappa and AUC by study
finetune     the other layers, step by step, resumable
run_folder   what a run leaves on disk, and whether it may go on there
trainer      all of it in order
demo         the demo classifier's own trainer, on patches of drawn images
"""
