"""Words of messages that people read."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: "1 mask", "1,200 masks"; ``plural`` where it takes no s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
