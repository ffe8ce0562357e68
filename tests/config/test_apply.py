"""config/sources can be applied in each way that people use."""

import pytest

from tests.support.api_server import ApiServer
from tests.support.manifests import ROOT

pytestmark = pytest.mark.cluster


def test_server_side_apply_accepts_config_sources(kinds: ApiServer) -> None:
    """As Argo CD does. It knows a rule of a schema by its text, so that no two may have the same."""
    done = kinds.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(ROOT / "config/sources"), check=False)

    assert done.returncode == 0, done.stderr
