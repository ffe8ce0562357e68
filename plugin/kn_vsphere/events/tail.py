"""`kn vsphere events tail`."""

from collections.abc import Callable

from kn_vsphere.call import Call
from kn_vsphere.events import lines, login, values
from kn_vsphere.events.follow import Reader
from pipeline.cloudevents import CloudEvent, to_structured
from vsphere.cloudevent import to_cloudevent
from vsphere.vcenter_catalog import EventTypes


def run(call: Call) -> None:
    """Print the events of a vCenter until Ctrl-C."""
    write = writer(call)
    with login.session(call) as session:
        now = session.server_time()
        types = EventTypes()
        types.refresh(session)
        since = call.flags.text("since")
        reader = Reader(session, values.moment("since", since, now) if since else now, None, call.report)
        for page in reader.pages(follow=True):
            for event in page:
                write(to_cloudevent(event, session.settings.sdk_url, session.api_version, types=types.catalog))
            call.out.flush()


def writer(call: Call) -> Callable[[CloudEvent], None]:
    """Return the function that prints an event in the format of the flags. Raises `CheckError`."""
    if values.one_of(call.flags, "output") == "json":
        return lambda event: call.print(to_structured(event).body.decode())
    colored = call.out.isatty() and not call.environ.get("NO_COLOR")
    return lambda event: call.print(lines.line(event, colored=colored))
