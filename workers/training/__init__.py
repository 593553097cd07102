"""Training a classifier from a snapshot: python -m workers.training, or started from the page.

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
lease        whose a training is that was started from the page
process      the trainer as a process of its own, followed and stopped
outcome      what the register keeps of a finished training: the version and its card
job          lease, process and outcome: one training that a page started
demo         the demo classifier's own trainer, on patches of drawn images
"""
