"""Messages of libraries: none of them, or each request with `--verbose`. Bodies and headers are never among them."""

import logging
import sys

from kn_vsphere.call import Call


def configure(call: Call) -> None:
    """Send the messages of this process to standard error if `--verbose` is set, and nowhere else.

    Call it after the libraries are imported, and before they are used.
    """
    if not call.owns_process:
        return
    verbose = call.flags.is_set("verbose")
    logger = logging.getLogger("urllib3")
    if verbose and not any(isinstance(handler, logging.StreamHandler) for handler in logger.handlers):
        handler = logging.StreamHandler(call.err)
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    if structlog := sys.modules.get("structlog"):
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.CRITICAL),
            logger_factory=structlog.PrintLoggerFactory(call.err),
        )
