"""What can go wrong while setting up, as one sentence that says what to do."""


class Problem(Exception):  # noqa: N818 - its message is the whole report
    """Ends the command with this sentence and exit status 1."""
