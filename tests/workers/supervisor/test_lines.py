"""Lines of many processes in one stream, for people and for machines."""

from __future__ import annotations

import io
import json

from workers.supervisor.lines import Lines


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_names_the_process_in_every_line() -> None:
    stream = io.StringIO()
    Lines(stream=stream).write("web", "served")
    assert stream.getvalue() == "web        | served\n"


def test_colours_the_name_on_a_terminal_only() -> None:
    screen = Screen()
    Lines(stream=screen).write("web", "served")
    assert screen.getvalue() == "\x1b[32mweb        |\x1b[0m served\x1b[0m\n"


def test_lets_colours_pass_and_nothing_else_that_a_terminal_obeys() -> None:
    stream = io.StringIO()
    Lines(stream=stream).write("web", "\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b[2J\x1b[6n\a\x1bc plain\x9b5n")
    assert stream.getvalue() == "web        | \x1b[31mred\x1b[0m plain5n\n"


def test_wraps_what_is_no_json_when_json_is_asked_for() -> None:
    stream = io.StringIO()
    lines = Lines(stream=stream, log_format="json")
    lines.write("web", '{"event": "served", "process": "web"}')
    lines.write("worker", "celery says {this}")
    first, second = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert first == {"event": "served", "process": "web"}
    assert (second["process"], second["event"]) == ("worker", "celery says {this}")


def test_goes_on_when_nobody_reads_any_more() -> None:
    stream = io.StringIO()
    stream.close()
    lines = Lines.__new__(Lines)
    lines._stream, lines._is_json, lines._has_colour = stream, False, False
    lines.write("web", "served")


def test_hides_tokens_in_daphnes_access_log_and_leaves_printed_mail_alone() -> None:
    stream = io.StringIO()
    Lines(stream=stream).write("web", '127.0.0.1:1 - - [x] "GET /setup/?token=abcdef&x=1" 200 3')
    Lines(stream=stream).write("web", "Join here: http://localhost:8000/join/?token=abcdef")
    access, mail = stream.getvalue().splitlines()
    assert access.endswith('"GET /setup/?token=[hidden]&x=1" 200 3')
    assert mail.endswith("?token=abcdef")
