"""What is told, and to whom: the log, the journal, other inits' words."""


class Fatal(Exception):
    """Ends the run before the program starts.

    `message` is the line for standard error, `status` the exit status. `usage` is a second line. `reason` is what the
    kernel said about a program that cannot be executed. `others_words` are lines that another init writes instead, as
    they are.
    """

    def __init__(
        self, message: str, status: int, usage: str = "", reason: str = "", others_words: "tuple[str, ...]" = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.usage = usage
        self.reason = reason
        self.others_words = others_words
