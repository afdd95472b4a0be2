"""``trainer sync``: send what runs have left because their tracking server did not answer."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional

from trainer.command_line import DONE, FAILURE, Answer, parse, print_json
from trainer.printing import say
from trainer.wording import counted


@dataclass(frozen=True, kw_only=True)
class Sync(Answer):
    """Send what runs of this machine have left because their tracking server did not answer."""

    run_ids: Positional[Annotated[tuple[str, ...], "RUNS"]] = ()
    """The runs, by id, the beginning of it, name, or last; left out, all with something left."""


def sync(args: list[str]) -> int:
    """Send what a tracking server that did not answer has not got yet."""
    command = parse(Sync, prog="trainer sync", args=args)
    from trainer.tracking.naming import run_named
    from trainer.tracking.outbox import waiting_runs
    from trainer.tracking.syncing import Synced
    from trainer.tracking.syncing import sync as send

    waiting = waiting_runs()
    chosen = list(dict.fromkeys(map(run_named, command.run_ids))) or waiting
    told = [Synced(run_id=run_id) for run_id in chosen if run_id not in waiting]
    told += send([run_id for run_id in chosen if run_id in waiting])
    if command.json:
        print_json([vars(one) for one in told])
    elif not told:
        say("nothing waits to be sent")
    else:
        for one in told:
            sent = counted(one.sent, "record")
            why = f", {one.left:,} left: {one.why}" if one.why else ""
            say(f"{one.run_id}  {sent} sent{why}")
    return FAILURE if any(one.why for one in told) else DONE
