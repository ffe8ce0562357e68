"""Dead letters over the display's API, from the real deadletter function."""

import json
import socket

from tests.support.serving import SENDING, Served


def act(served: Served, verb: str = "redrive", body: str = '{"all": true}', **headers: str) -> tuple[int, str]:
    return served.request("POST", f"/api/dead-letters/{verb}", body, {"content-type": "application/json", **headers})


def test_errors_of_the_deadletter_function_are_passed_on(sending: Served) -> None:
    token = json.loads(sending.request("GET", "/api/about")[1])["send"]["token"]
    own = {"X-Send-Token": token, "Sec-Fetch-Site": "same-origin"}
    assert act(sending, "redrive", "[1]", **own) == (400, "the body is not a JSON object that selects dead letters\n")
    assert act(sending, "redrive", '{"numbers": "x"}', **own) == (400, "numbers is not a list of whole numbers\n")
    assert act(sending, "drop", '{"numbers": [1]}', **own) == (
        400,
        'the reason is missing: {"reason": "the VM is gone", …}\n',
    )
    assert act(sending, "burn", "{}", **own)[0] in (404, 405)
    assert sending.request("GET", "/api/dead-letters/7") == (404, "there is no dead letter 7\n")
    assert sending.request("GET", "/api/dead-letters/99999999999999999999")[0] == 404
    assert sending.request("GET", "/api/dead-letters?state=lost") == (
        400,
        "state is 'lost', not one of waiting, redriven, dropped\n",
    )


def test_missing_or_wrong_deadletter_function_is_502() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with (
        Served("notify", NOTIFY_URLS="json://127.0.0.1:9") as another,
        Served("display", **SENDING, DISPLAY_DEAD_LETTERS=f"http://127.0.0.1:{port}") as alone,
        Served("display", **SENDING, DISPLAY_DEAD_LETTERS=another.address) as misled,
    ):
        for served, reason in ((alone, "cannot be reached: "), (misled, "but is not the deadletter function")):
            token = json.loads(served.request("GET", "/api/about")[1])["send"]["token"]
            responses = [
                served.request("GET", "/api/dead-letters"),
                served.request("GET", "/api/dead-letters/1"),
                act(served, **{"X-Send-Token": token, "Sec-Fetch-Site": "same-origin"}),
            ]
            assert [status for status, _ in responses] == [502, 502, 502]
            assert [text for _, text in responses if reason not in text] == []


def test_display_without_a_deadletter_function_is_404(served: Served) -> None:
    expected = (404, "there is no deadletter function; DISPLAY_DEAD_LETTERS sets its address\n")
    assert served.request("GET", "/api/dead-letters") == expected
    assert served.request("GET", "/api/dead-letters/1") == expected
