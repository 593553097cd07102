"""The life of a classifier, end to end, on a real site that starts with an empty database.

    python -m benchmarks.classifier_life [--size small] [--report docs/classifier-life.md]

population   two hospitals whose radiographs look different, and the truth about every study
site         the processes of a site, and people who use its pages over HTTP
reader       a scripted reader who knows the truth
life         what happens, in order
ranking      how good the order of a list is
report       the figures and plots that are left
"""
