"""Failures of the consent room, one sentence each (convention: ``exit_code``, see pipeline/errors.py)."""


class ConsentError(ValueError):
    """What was given for a consent record cannot be used."""

    exit_code = 2


class RegistryError(ConsentError):
    """The registry cannot be opened, read or written, or does not know what was named."""


class NameKeyError(ConsentError):
    """The key to the students' names is missing, malformed or another one."""


class LogBroken(ConsentError):
    """The log of the registry, or a record in it, was altered after it was written."""

    exit_code = 1


class NotPermitted(PermissionError):
    """The processing asked for is not covered by an approval, or goes against somebody's decision."""

    exit_code = 3


class OutputError(OSError):
    """What was asked for rightly cannot be stored (the disk is full)."""

    exit_code = 1
