import pytest

from scrapemaster.domain.events import Event, EventType
from scrapemaster.domain.ids import new_job_id
from scrapemaster.domain.job import Priority
from scrapemaster.domain.worker import Figures
from scrapemaster.worker.messages import Alive, Deliver, Happened, Wake, from_line, to_line


@pytest.mark.parametrize(
    "message",
    [
        Wake(new_job_id(), Priority.HIGH),
        Happened(Event(EventType.JOB_COMPLETED, new_job_id(), 1_700_000_000.5)),
        Alive(),
        Deliver(),
        Alive(192, 9_999.9, tuple(Figures(*[10**11] * 9, 10.0**6, [10**8] * 10).flat())),
    ],
)
def test_a_message_is_one_short_line_and_comes_back_as_it_was(message):
    line = to_line(message)

    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert len(line) < 512  # POSIX's least PIPE_BUF: a write is whole or not at all
    assert from_line(line) == message


@pytest.mark.parametrize("line", [b"", b"{}", b"hello\n", b'{"type":"other"}\n', b'{"type":"wake"}\n'])
def test_what_is_no_message_is_a_value_error(line):
    with pytest.raises(ValueError, match=r"."):
        from_line(line)
