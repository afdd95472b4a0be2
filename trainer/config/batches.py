"""How many images pass through a network at once: a number, or as many as fit into memory."""

AUTO = "auto"


def asked_for(batch_size: int | str) -> int | None:
    """Return how many images a step is to have: N of ``auto:N``, None of ``auto``.

    Raises ``ValueError`` for what is neither of them.
    """
    word, _, number = str(batch_size).partition(":")
    if word == AUTO and number.isascii() and number.isdigit() and int(number) >= 1:
        return int(number)
    if batch_size == AUTO:
        return None
    raise ValueError(
        f"batch_size: {batch_size} is no whole number; give one, {AUTO} for as many images as "
        f"fit, or {AUTO}:64 for 64 to a step, of which as many at once as fit"
    )
