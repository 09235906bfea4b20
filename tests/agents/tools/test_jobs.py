from __future__ import annotations

import json

from clawgate.agents.tools import jobs


def test_a_job_reads_a_page() -> None:
    jobs.prepare()
    job = {"kind": "html", "mode": "text", "url": "http://a.example/", "max_chars": 9}
    assert json.loads(jobs.work(job, b"<p>word word word</p>")) == {
        "title": "",
        "text": "word word",
        "truncated": True,
    }
