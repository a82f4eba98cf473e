"""Failures of model files, in one sentence for the user; ``exit_code`` as in pipeline/errors.py."""


class ModelFileError(ValueError):
    """A weights file is missing, damaged or not a model of the kind asked for."""

    exit_code = 2


class TrainingDataError(ValueError):
    """Training data are missing, damaged or contradict themselves."""

    exit_code = 2


class NotBetter(ValueError):
    """What was learned is not better than what there was, so it is not installed."""

    exit_code = 1
