"""What a supervisor asks."""

import pytest

from tests.web.conftest import Visitor
from web import server
from worklist import database, schema
from worklist.errors import Unavailable
from worklist.settings import Settings


def test_process_is_live_without_a_database(client: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as away:
        away.delattr(database, "engine")

        assert client.get("/live").json == {"live": True}


def test_ready_when_the_database_has_the_schema_of_this_code(client: Visitor) -> None:
    answer = client.get("/ready")

    assert answer.status_code == 200
    assert answer.json == {"ready": True}


def test_not_ready_says_what_to_do(client: Visitor) -> None:
    schema.downgrade(database.engine(), "base")

    answer = client.get("/ready")

    assert answer.status_code == 503
    assert answer.json is not None
    assert "worklist migrate" in answer.json["reason"]


def test_taken_port_is_explained(live_server: str, site: Settings) -> None:
    port = int(live_server.rsplit(":", 1)[1])

    with pytest.raises(Unavailable, match=f"Port {port} on 127.0.0.1 is taken .* WORKLIST_WEB_PORT"):
        server.run(site.model_copy(update={"web_port": port}))


def test_address_of_another_computer_is_explained() -> None:
    with pytest.raises(Unavailable, match=r"cannot listen on 192\.0\.2\.1"):
        server.check_port("192.0.2.1", 8000)


def test_server_keeps_no_access_log(site: Settings) -> None:
    configured = server.Server(site).cfg

    assert configured.accesslog is None
    assert configured.preload_app is False
    assert configured.workers * configured.threads == 16
