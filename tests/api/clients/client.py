"""Lists, pages, redrives and pushes with the client that openapi-python-client has made. Arguments: URL, key."""

import sys
import time
from urllib.parse import parse_qs, urlparse

from hookswitch_client import AuthenticatedClient
from hookswitch_client.api.messages import get_job, list_failed, redrive_failed
from hookswitch_client.api.templates import list_templates, push_templates
from hookswitch_client.models import FailedChoice, Push
from hookswitch_client.types import UNSET

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2], raise_on_unexpected_status=True)

seen, after = [], UNSET
while True:
    answer = list_failed.sync_detailed(client=client, limit=2, after=after)
    assert answer.status_code == 200, answer
    seen += [message.id for message in answer.parsed.data]
    if answer.parsed.next_ is None:
        assert "link" not in answer.headers
        break
    link = answer.headers["link"].split(">")[0].lstrip("<")
    assert parse_qs(urlparse(link).query)["after"] == [answer.parsed.next_], link
    after = answer.parsed.next_
assert len(seen) == len(set(seen)) == 5, seen

job = redrive_failed.sync(client=client, body=FailedChoice(ids=seen[:2]))
while (job := get_job.sync(job.id, client=client)).state == "running":
    time.sleep(0.05)
assert (job.state, job.count) == ("done", 2), job

templates = list_templates.sync(client=client)
assert [template.needs_push for template in templates.data] == [True], templates
pushed = push_templates.sync(client=client, body=Push(all_=True))
assert [template.status for template in pushed.data] == ["PENDING"], pushed
print("listed, paged, redriven, pushed")
