"""Helpers for plugins of Hookswitch in Python.

`hookswitch plugin new --lang python` writes this file beside the plugin; it is yours: keep it, change it, or write against
the contract itself (sdk/wit/plugin.wit).
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Callable, Optional, Union

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import clock, http, log, lookup as tables
from wit_world.imports import config as settings
from wit_world.imports import types as wit


@dataclass
class Event:
    """An event, with the attributes of CloudEvents."""

    id: str
    source: str
    type: str
    subject: Optional[str]
    time: datetime
    data: Any
    extensions: dict[str, Any]


@dataclass
class Decision:
    """Which message to send to whom, and when; as in a route."""

    # Only with `cancel` there may be none.
    template: str = ""
    groups: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    contacts: list[str] = field(default_factory=list)
    context: dict[str, Any] = field(default_factory=dict)
    dedupe_key: Optional[str] = None
    dedupe_for: Optional[str] = None
    # By which it is withdrawn while it waits, and what of earlier events is withdrawn.
    key: Optional[str] = None
    cancel: list[str] = field(default_factory=list)
    # For example "3 per 1d".
    at_most: Optional[str] = None
    # For example "MON-FRI 08:00-17:00 Africa/Harare".
    hours: Optional[str] = None
    # Who gets it where nobody else can be reached: {"groups": [...], "users": [...], "contacts": [...]}.
    otherwise: Optional[dict[str, list[str]]] = None
    collect: Optional[str] = None
    send_at: Optional[datetime] = None
    after: Optional[str] = None
    expires_at: Optional[datetime] = None
    priority: Optional[str] = None
    mode: Optional[str] = None
    language: Optional[str] = None
    reply: bool = False
    sender: Optional[str] = None
    reason: Optional[str] = None


@dataclass
class Skip:
    """Nobody is notified, for this reason."""

    why: str


@dataclass
class Response:
    """What a service answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def config(key: str, default: Any = None) -> Any:
    """A value under `config` in plugin.yaml."""
    value = settings.get(key)
    return default if value is None else json.loads(value)


def now() -> datetime:
    """The time, which stands still during a call."""
    return _read(clock.now())


def lookup(table: str, key: str) -> Optional[dict[str, Any]]:
    """The row with this key of a table of plugin.yaml; None if there is none."""
    row = tables.get(table, key)
    return None if row is None else json.loads(row)


def info(message: str) -> None:
    """A line in the host's log."""
    log.write(log.Level.INFO, message)


def request(url: str, method: str = "GET", headers: Optional[dict[str, str]] = None, body: Any = None,
            timeout_ms: Optional[int] = None) -> Response:
    """Sends a request to an address that plugin.yaml names and the operator grants; raises OSError without an answer."""
    raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    try:
        answer = http.send(http.Request(method, url, list((headers or {}).items()), raw, timeout_ms, []))
    except Err as error:
        raise OSError(f"{method} {url}: {error.value}") from None
    return Response(answer.status, answer.headers, bytes(answer.body))


def _read(text: str) -> datetime:
    # Python before 3.11 reads neither `Z` nor nanoseconds.
    main, _, fraction = text.removesuffix("Z").partition(".")
    moment = datetime.fromisoformat(main).replace(tzinfo=timezone.utc)
    return moment.replace(microsecond=int(fraction[:6].ljust(6, "0"))) if fraction else moment


def _written(moment: Optional[datetime]) -> Optional[str]:
    return None if moment is None else moment.astimezone(timezone.utc).isoformat()


def _decision(it: Decision) -> wit.Decision:
    hints = {"dedupe_for": it.dedupe_for, "collect": it.collect, "language": it.language,
             "reply": "true" if it.reply else None, "from": it.sender, "key": it.key, "at_most": it.at_most, "hours": it.hours,
             "cancel": json.dumps(it.cancel) if it.cancel else None,
             "else": json.dumps(it.otherwise) if it.otherwise else None}
    send = wit.SendTime_After(it.after) if it.after else None
    return wit.Decision(
        template=it.template, groups=it.groups, users=it.users, contacts=it.contacts,
        context=json.dumps(it.context), dedupe_key=it.dedupe_key,
        send=wit.SendTime_SendAt(_written(it.send_at)) if it.send_at else send,
        expires_at=_written(it.expires_at),
        priority=wit.Priority[it.priority.upper()] if it.priority else None,
        mode=wit.Mode[it.mode.upper()] if it.mode else None,
        reason=it.reason, hints=[(name, value) for name, value in hints.items() if value is not None])


def plugin(decide: Callable[[Event], Union[Decision, list[Decision], Skip]]) -> type:
    """What a plugin exports: `Router = plugin(decide)`. An exception fails this event."""

    class Router(exports.Router):
        def decide(self, event: wit.Event):
            try:
                answer = decide(Event(event.id, event.source, event.kind, event.subject, _read(event.time),
                                      json.loads(event.data), json.loads(event.extensions)))
                if isinstance(answer, Skip):
                    return wit.Answer_Skip(answer.why)
                return wit.Answer_Notify([_decision(it) for it in (answer if isinstance(answer, list) else [answer])])
            except Exception as error:
                raise Err(wit.Failure(f"{type(error).__name__}: {error}", [])) from error

    return Router
