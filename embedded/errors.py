"""The one error of this package: a sentence for the person at the terminal."""


class EmbeddedError(RuntimeError):
    """A part could not be started or kept running.

    The message is one line that says what is wrong and how to mend it; `log` holds the last lines
    of the part's own log where there are any.
    """

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log
