"""Tags of a simulated vCenter. `tests/functions/test_tag.py` attaches and removes them."""

import contextlib
from collections.abc import Iterator

import pytest

from demo.vcsim import VCSim
from pipeline.settings import read
from tests.support.history import vcenter_settings
from tests.support.recorder import Recorder, Response
from vsphere.errors import VCenterRejected, VCenterUnavailable
from vsphere.settings import VCenterSettings
from vsphere.tagging import NoSuchTag, Tagging


@pytest.fixture
def tagging(vcsim: VCSim) -> Iterator[Tagging]:
    with contextlib.closing(Tagging(vcenter_settings(vcsim))) as tagging:
        yield tagging


def test_missing_category_is_named_without_advice_for_a_setting(tagging: Tagging) -> None:
    with pytest.raises(NoSuchTag, match=r"no tag category 'lifecycle' in vCenter: create it$"):
        tagging.objects_with("lifecycle", "preemptible")


def test_untrusted_certificate_is_rejected(vcsim: VCSim) -> None:
    tagging = Tagging(vcenter_settings(vcsim, VC_INSECURE="false"))

    with pytest.raises(VCenterRejected, match=r"certificate is not trusted.*VC_CA_BUNDLE"):
        tagging.objects_with("lifecycle", "preemptible")


def test_redirect_is_not_followed() -> None:
    with Recorder(lambda _: Response(302, headers={"location": "/elsewhere"})) as gateway:
        environ = {"VC_URL": f"{gateway.url}/sdk", "VC_USERNAME": "user", "VC_PASSWORD": "pass"}
        tagging = Tagging(read(VCenterSettings, environ))
        with pytest.raises(VCenterUnavailable, match="302"):
            tagging.objects_with("lifecycle", "new")
        tagging.close()

    assert len(gateway.requests) == 1
