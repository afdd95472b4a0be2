"""What a sweep keeps in its study beside settings and scores: the keys of its user attributes.

Those that write a study and those that read one both take them from here. Nothing here imports
anything, so that a page need not wait for Optuna.
"""

# Of a study: the spec that it was made from, the run in the store that groups its runs, and the
# digest of the data that its trials learn from.
SPEC, PARENT, DATA = "spec", "parent_run_id", "data_digest"
# Of a trial: who runs it, how often its process has died, why it ended as it did.
WORKER, DEATHS, REASON = "worker", "deaths", "reason"
# A trial with this attribute was cut short and does not count: its setting is tried again.
UNCOUNTED = "uncounted"
# Its best run, all its runs (one a seed) and the best score of each.
RUN, RUNS, SCORES = "run_id", "run_ids", "scores"
EPOCHS, PLANNED, SAVED = "epochs", "epochs_planned", "epochs_saved"
