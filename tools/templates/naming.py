"""naming: reply when the name of a new VM does not follow the convention."""

import re

from pipeline import payload
from pipeline.cloudevents import CloudEvent
from pipeline.reaction import ReactionFunction
from pipeline.reply import reply
from pipeline.settings import Environ


class NamingReaction:
    """Checks names such as web-01."""

    def react(self, event: CloudEvent) -> CloudEvent | None:
        """Reply if the name is invalid."""
        name = payload.target(event)
        if re.fullmatch(r"[a-z]+-\d\d", name):
            return None
        return reply(event, "naming.invalid", f"{name} does not follow the convention", "warning")


def create(_environ: Environ) -> ReactionFunction:
    """Create the function. It has no settings."""
    return ReactionFunction(NamingReaction())
