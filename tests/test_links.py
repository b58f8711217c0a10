"""The command that asks for every address on the web that a page names."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from scripts import links


class _Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    served = HTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()


def test_an_address_that_answers_is_no_problem(server: str) -> None:
    assert links.answer(f"{server}/200") is None
    assert links.answer(f"{server}/403") is None


def test_an_address_that_is_gone_is_one(server: str) -> None:
    assert "404" in (links.answer(f"{server}/404") or "")


def test_a_server_that_is_not_there_is_one() -> None:
    assert "refused" in (links.answer("http://127.0.0.1:9/") or "").lower()


@pytest.mark.parametrize("address", ["http://[::1/", "http://127.0.0.1:port/"])
def test_what_is_no_address_is_one(address: str) -> None:
    assert links.answer(address)


def test_without_a_way_to_the_web_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(links, "addresses", lambda: {"http://127.0.0.1:9/": ["README.md:1"]})
    assert links.main() == 1
    assert "is there a way to the web?" in capsys.readouterr().out


def test_addresses_are_found_with_their_places() -> None:
    assert any(place.startswith("README.md:") for places in links.addresses().values() for place in places)
