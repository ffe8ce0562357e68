"""`make doctor`: what it makes of answers, and of a real vCenter."""

import json

import pytest

from demo.vcsim import VCSim
from tools import doctor


@pytest.mark.parametrize(("version", "needs_action"), [("1.17.9", True), ("1.18.0", False), ("1.20.1", False)])
def test_old_knative_is_to_be_upgraded(version: str, needs_action: bool) -> None:
    response = json.dumps({"metadata": {"labels": {"app.kubernetes.io/version": version}}})

    assert bool(doctor.knative("serving", 0, response).advice) == needs_action


def test_missing_knative_is_reported() -> None:
    assert doctor.knative("eventing", 1, "NotFound").result == "not installed"


def test_reason_of_an_object_that_is_not_ready_is_shown() -> None:
    condition = {"type": "Ready", "status": "False", "message": "no image"}
    item = {"kind": "Service", "metadata": {"name": "notify"}, "status": {"conditions": [condition]}}

    assert doctor.readiness(item).result == "not ready: no image"
    assert doctor.readiness(item).advice


def test_account_that_may_read_needs_no_action(vcsim: VCSim) -> None:
    checks = list(doctor.vcenter(vcsim.environ))

    assert [check.name for check in checks] == ["vCenter", "privileges"]
    assert not any(check.advice for check in checks)


def test_rejected_login_is_reported_without_the_password(vcsim: VCSim) -> None:
    [check] = doctor.vcenter({**vcsim.environ, "VC_PASSWORD": "wrong-secret"})

    assert check.advice
    assert "wrong-secret" not in str(check)
