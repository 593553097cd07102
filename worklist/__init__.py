"""What every process of Worklist shares: the rules of the reading list, and the database.

Modules, from the ground up (imports only point down; see ``[tool.importlinter]``):

- ``settings``, ``clock``, ``errors``, ``logs``: what everything else stands on
- ``database``, ``archive``, ``dicom``, ``synthetic``: rows, files, DICOM knowledge, drawn radiographs
- ``tables``: rows and relations only
- ``jobs``, ``audit``: what happens later, and what has happened
- ``intake``, ``triage``, ``reading``, ``classifiers``, ``accounts``: the features, blind to each other
- ``receiver``, ``sender``: DIMSE in and out
- ``demo``, ``cli``: everything on one host, and the command line
"""
