"""The modules that are mutated, each with the tests that must notice."""

from typing import NamedTuple

CHECKPOINT = ("tests/functions/poller/test_checkpoint.py",)
CLOUDEVENTS = ("tests/pipeline/test_cloudevents.py",)


class Target(NamedTuple):
    """A module and its own tests, as paths from the project's root."""

    source: str
    tests: tuple[str, ...]

    @property
    def module(self) -> str:
        """The module's name, as it is imported."""
        return self.source.removesuffix(".py").replace("/", ".")


TARGETS = {
    "acknowledgements": Target("delivery/acknowledgements.py", ("tests/delivery/test_acknowledgements.py",)),
    "resend": Target("delivery/resend.py", ("tests/delivery/test_resend.py",)),
    "retry": Target("delivery/retry.py", ("tests/delivery/test_retry.py",)),
    "checkpoint": Target("delivery/checkpoint.py", CHECKPOINT),
    "checkpoint_record": Target("functions/poller/checkpoint.py", CHECKPOINT),
    "cursor": Target("vsphere/cursor.py", ("tests/vsphere/test_cursor.py",)),
    "filter": Target("pipeline/filter.py", ("tests/pipeline/test_filter.py",)),
    "event": Target("pipeline/cloudevents/event.py", CLOUDEVENTS),
    "rules": Target("pipeline/cloudevents/rules.py", CLOUDEVENTS),
    "http": Target("pipeline/cloudevents/http.py", CLOUDEVENTS),
    "json_text": Target("pipeline/cloudevents/json_text.py", ("tests/pipeline/test_json_text.py",)),
    "json_format": Target("pipeline/cloudevents/json_format.py", CLOUDEVENTS),
}
"""The name for the command line → the module."""
