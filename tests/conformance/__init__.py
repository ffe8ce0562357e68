"""One table of cases, and what plays it on a Broker: the local one in `make test`, Knative's in `make e2e`."""

import pytest

pytest.register_assert_rewrite("tests.conformance.play")  # so that a case that differs says in what
