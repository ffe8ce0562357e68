"""The bounds on everything that comes from outside, and on everything that is remembered of it. Pure.

The names end in their unit, or are what they count. A bound that users may want to change is the default of a setting,
which its docstring names.
"""

KIB = 1024
MIB = 1024 * KIB

# ── responses of vCenter ──

VCENTER_RESPONSE_BYTES = 3 * MIB
"""A response with events, decompressed. It takes eight times as much memory when it is read. A page of 1,000 events has
about 2 MB. The reader asks for fewer events if one has more."""

VCENTER_OBJECTS_BYTES = 8 * MIB
"""Any other response, which pyVmomi reads: the names and states of 10,000 VMs of one cluster."""

VCENTER_ELEMENTS = 100_000
"""The elements of such a response. One takes about 150 bytes. An event has about 30, so a page has a third of these."""

XML_LEVELS = 100
"""The depth of an element. vCenter's deepest events have less than 20 levels, and readers are recursive."""

XML_REFERENCE_DIGITS = 12
"""A character reference. The greatest character has 7 digits, and reading a long number takes quadratic time."""

EVENT_KEY_DIGITS = 19
"""An event's key. It is an int32, and even a 64-bit number has no more digits."""

VCENTER_NAME_CHARACTERS = 1 * KIB
"""An event's class, type, entity or API version, which become attributes. Sinks reject headers of more than some
kilobytes, the class is also in the checkpoint, and real names have less than 100. The payload has them whole."""

UNREADABLE_CHARACTERS = 16 * KIB
"""The part of an element without a usable key that a status event carries. A real event has a tenth of it."""

TAGGING_BYTES = 2 * MIB
"""A response of the Automation REST API: the references of 30,000 objects that have one tag."""

TAGGING_VALUES = 150_000
"""The values of a response of this API: 30,000 objects with a tag have three each."""

# ── responses of Horizon ──

HORIZON_RESPONSE_BYTES = 16 * MIB
"""A response. A page of 500 events has about 0.25 MB."""

HORIZON_ERROR_BYTES = 32 * KIB
"""The beginning of an error's body that is looked at. It has room for a token, which is then left out as a whole."""

HORIZON_TYPE_CHARACTERS = 1 * KIB
"""The type of an event, which becomes the attribute `type`. Real ones have about 40."""

HORIZON_TOKEN_CHARACTERS = 16 * KIB
"""A token. Real ones have about 1,000."""

# ── responses of the API server, of sinks and of receivers ──

CONFIG_MAP_BYTES = 1 * MIB
"""A response with a ConfigMap. Kubernetes stores no larger one, and the poller's has about 1 KB."""

API_OBJECT_BYTES = 8 * MIB
"""A change that a watch reports. The API server's own limit for an object is 3 MB."""

API_RESPONSE_BYTES = 32 * MIB
"""Any other response of the API server: a page of 500 objects, of which one has about 10 kB."""

ERROR_RESPONSE_BYTES = 1 * KIB
"""The part of an error's body that is read, as Knative does for `knativeerrordata`. Messages quote less of it."""

ACKNOWLEDGEMENT_BYTES = 1 * MIB
"""The part of a 2xx's body that is waited for. The status acknowledges the event, and no Broker sends a body."""

RECEIVER_RESPONSE_BYTES = 256 * KIB
"""A response of a notification service, decompressed. apprise's plugins read ids and tokens from it."""

DEAD_LETTERS_BYTES = 5_000_000
"""A response of the deadletter function: 1,000 dead letters of 2 kB are 2 MB, one with its event at most 4 MB."""

# ── requests to functions ──

CONNECTIONS = 4096
"""Connections that are served (`HTTP_MAX_CONNECTIONS`): the display's viewers, and ten times a Broker's."""

HEADERS = 256
"""Headers of a request (`HTTP_MAX_HEADERS`). An event has about 10 attributes, and proxies add as many headers."""

HEADER_BYTES = 64 * KIB
"""A request line and its headers (`HTTP_MAX_HEADER_BYTES`): eight times what most servers and proxies accept."""

BODY_BYTES = 2 * MIB
"""A request's body (`HTTP_MAX_BODY_BYTES`). Brokers accept events of about 1 MiB, and base64 in structured mode adds a
third."""

ATTRIBUTES = 256
"""The attributes of an event. Headers hold no more (`HEADERS`), but a JSON document could."""

ATTRIBUTE_BYTES = 64 * KIB
"""One attribute with its name. Headers hold no more (`HEADER_BYTES`), but a JSON document could."""

ERROR_BODY_BYTES = 768
"""The body of an error that a function answers. Knative 0.47 puts it into a dead letter as base64, in a buffer of 1,024
bytes. A longer one makes its channel dispatcher panic, and every event that the dispatcher holds is lost."""

JSON_VALUES = 50_000
"""The values of a JSON document. One takes up to 250 bytes when it is parsed, so 2 MB of text could take 100 MB. Events
of vCenter have some hundred, and a Kubernetes object of 1 MB has about 30,000."""

XML_ELEMENTS = 50_000
"""The elements of an XML document, and their attributes. As `JSON_VALUES`."""

ADMISSION_BYTES = 8 * MIB
"""A request of the API server to the webhook. Its own limit for an object is 3 MB, and an update has two."""

ADMISSION_CONNECTIONS = 512
"""Requests of the API server under way at the webhook."""

HOST_CHARACTERS = 255
"""The header `Host`: the longest name in DNS."""

TRIGGER_CHARACTERS = 20_000
"""A Trigger as YAML that the display tests. Real ones have some hundred characters."""

TRIGGERS_CHARACTERS = 1_000_000
"""A file with Triggers (`DISPLAY_TRIGGERS`): hundreds of them."""

TRIGGER_LEVELS = 50
"""The depth of such a Trigger. Real ones have a few levels, and Python's stack is finite."""

DROP_REASON_CHARACTERS = 1000
"""The reason with which an operator drops dead letters. The store's limit of size does not count it."""

LISTED_DEAD_LETTERS = 1000
"""Dead letters in one response: 2 MB."""

HANDOVER_BYTES = 1_000_000
"""One request of the handover, approximately. `BODY_BYTES` is twice that, and an event at most that long."""

# ── texts that are kept, shown or logged ──

QUOTE_CHARACTERS = 300
"""A foreign text in a message: a few lines of a terminal."""

LOG_FIELD_CHARACTERS = 1000
"""A field of a log line. Log collectors split lines at 16 KiB, and a line has less than ten foreign fields."""

LOG_TRACEBACK_CHARACTERS = 20_000
"""A traceback in a log line: the deepest that Python prints, with the repeated lines folded."""

REJECTED_BODY_BYTES = 1 * KIB
"""The part of a rejected request's body that the display shows."""

REJECTED_HEADER_CHARACTERS = 500
"""The part of a rejected request's header that the display shows."""

SUMMARY_CHARACTERS = 200
"""A cell of the display's table, which shows less than half of it on a wide screen."""

EVENT_MESSAGE_CHARACTERS = 20_000
"""The message of an event that is opened on the page. ESXi's have about 1,000 and end with the remedy."""

FAILURE_RESPONSE_CHARACTERS = 1 * KIB
"""The subscriber's response in a dead letter. Knative passes on no more."""

TITLE_CHARACTERS = 200
"""The title of a notification. Services cut it at 100 (e-mail clients) to 256 (Discord)."""

DIGEST_TITLES = 20
"""Titles that a digest lists. It counts the other events by type."""

CUSTOM_VALUE_CHARACTERS = 255
"""The value of a custom attribute: vCenter's limit."""

FAILOVER_CHARACTERS = 1000
"""The message of a failover, which names the VMs that HA restarted."""

LISTED_VMS = 5
"""VMs that a capacity report names: the largest ones."""

# ── what is remembered ──

UNSENT_DIGESTS = 100
"""Digests that are kept for services that are down."""


EVENTS_IN_FLIGHT = 2000
"""Events that are read and not yet acknowledged (`SINK_MAX_IN_FLIGHT`), and acknowledged ones that may be sent again:
two pages of vCenter's, 6 MB."""

REPORTED_EVENTS = 1000
"""Status events that the poller does not repeat, by their ids: as many as a page of vCenter's can cause."""

DEDUP_EVENTS = 10_000
"""Events whose repetition a reaction recognizes (`*_DEDUP_SIZE`), by a digest of 20 bytes each."""

DISPLAYED_EVENTS = 10_000
"""Events on the page (`DISPLAY_EVENTS`): as many as a browser filters without delay."""

DISPLAYED_MEGABYTES = 64
"""Memory of these events (`DISPLAY_MEGABYTES`): a quarter of the pod's."""

VIEWERS = 2500
"""Open pages (`DISPLAY_VIEWERS`)."""

DEAD_LETTERS = 10_000
"""Dead letters (`DEADLETTER_EVENTS`): more than an operator looks through."""

DEAD_LETTERS_MEGABYTES = 256
"""Size of their events on disk (`DEADLETTER_MEGABYTES`): 25 KB for each, ten times an event of vCenter's."""
