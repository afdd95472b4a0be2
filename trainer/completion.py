"""Completion of a command line in a shell: commands, options, and the names that are their values.

What a shell asks for is read from what the command itself parses; where there is nothing to offer,
the shell offers files.
"""

from collections.abc import Callable, Mapping, Sequence

from trainer.names import check
from trainer.options import ASK, Asked, Option

Command = Callable[[list[str]], int]

SCRIPTS = {
    "bash": """\
_PROG_completion() {
  local IFS=$'\\n'
  COMPREPLY=($(PROG completion words "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o bashdefault -o default -F _PROG_completion PROG""",
    "zsh": """\
#compdef PROG
_PROG_completion() {
  local -a found
  found=("${(@f)$(PROG completion words "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found[1]" ]]; then compadd -a found; else _files; fi
}
compdef _PROG_completion PROG""",
    "fish": """\
complete -c PROG -a \\
  '(PROG completion words (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'""",
}


def completion(prog: str, commands: Mapping[str, Command] | Command, args: list[str]) -> str:
    """Return the script that completes ``prog`` in the shell that is named, bash, zsh or fish.

    Of the word ``words``, which the scripts use, it is what the last of the words after it may
    become, a line each. Raises ``ValueError`` listing the shells.
    """
    if args[:1] == ["words"]:
        return "\n".join(candidates(commands, args[1:]))
    check("shell", args[0] if args else "", SCRIPTS)
    return SCRIPTS[args[0]].replace("PROG", prog)


def candidates(commands: Mapping[str, Command] | Command, words: Sequence[str]) -> list[str]:
    """Return what the last of ``words``, perhaps empty, may become after those before it."""
    # Bash takes --name=value for three words.
    *before, last = [word for word in words if word != "="] if words[-1:] != ["="] else [*words, ""]
    before = [word for word in before if word != "="]
    if isinstance(commands, Mapping):
        if not before:
            return _beginning([*commands, "completion"], last)
        if before[0] not in commands:
            return _beginning(SCRIPTS, last) if before == ["completion"] else []
        command, before = commands[before[0]], before[1:]
    else:
        command = commands
    options = _options_of(command, before)
    flags = {option.flag: option for option in options if not option.is_positional}
    flag, given, value = last.partition("=")
    if given and flag in flags:
        return [f"{flag}={name}" for name in _beginning(flags[flag].names, value)]
    if before and (asked := flags.get(before[-1])) is not None and asked.word is not None:
        return _beginning(asked.names, last)
    placed = _place(options, flags, before)
    if last.startswith("-") or not (last or placed):
        return _beginning([*flags, "--help"], last)
    return _beginning(placed[0].names, last) if placed else []


def _place(
    options: Sequence[Option], flags: Mapping[str, Option], before: Sequence[str]
) -> list[Option]:
    """Return the option that the next word gives by its place, as a list; [] where none does."""
    taken, skip = 0, False
    for word in before:
        taken += not (skip or word.startswith("-"))
        skip = word in flags and flags[word].word is not None
    placed = [option for option in options if option.is_positional]
    return placed[taken : taken + 1] or [option for option in placed[-1:] if option.is_several]


def _options_of(command: Command, before: list[str]) -> Sequence[Option]:
    """Return the options of a command after some words; where these are wrong, at its start."""
    for words in (before, []):
        try:
            command([*words, ASK])
        except Asked as asked:
            return asked.options
        except ValueError:
            continue
    return ()


def _beginning(names: Sequence[str] | Mapping[str, object], start: str) -> list[str]:
    return [name for name in names if name.startswith(start)]
