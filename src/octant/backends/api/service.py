"""Asking a service: its key, its address, the pace, what passes and is tried again, and what was used."""

from __future__ import annotations

import email.utils
import importlib
import ipaddress
import json
import os
import re
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from octant.errors import EncoderError, OctantError, ServiceError
from octant.family import Options

__all__ = ["ApiOptions", "OwnServerOptions", "Service", "Usage", "Waits", "address_of", "key_of"]

T = TypeVar("T")

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
"""Seconds between tries, doubled each time, where the service does not say how long."""
_PATIENCE = 120.0
"""Seconds. A service that asks to wait longer is out of quota rather than busy: that is for the user to know."""
_PASSING = (408, 409, 429)
"""Refusals that pass, beside all that begin with 5."""
_SPENT = re.compile(r"insufficient_quota|quota_exceeded|insufficient (account )?balance", re.IGNORECASE)
"""A 429 of this kind does not pass by waiting."""
_NO_KEY = re.compile(r"API_KEY_INVALID|API key not valid")
"""Google's refusal of a key has the status 400."""
_SHOWN = 300
"""Characters of a service's own words that a message repeats."""


class ApiOptions(Options):
    """What every service can be asked with."""

    dim: int | None = Field(default=None, ge=1)
    """Length of the vectors; needed for models that octant does not know, and shortens those that can be shortened."""
    tokens: int | None = Field(default=None, ge=32)
    """How long a text it reads at once, as octant estimates tokens; longer ones are read in windows."""
    url: str | None = None
    """Another address than the provider's own, such as a gateway's."""
    insecure: bool = False
    """Send the key over http:// to another machine as well, where everyone on the way can read it."""
    per_minute: float | None = Field(default=None, gt=0)
    """Requests that may be begun in a minute, evenly spaced; None does not wait."""
    parallel: int = Field(default=4, ge=1, le=32)
    """Requests under way at once."""
    timeout: float = Field(default=60.0, gt=0)
    """Seconds to wait for an answer."""
    retries: int = Field(default=4, ge=0, le=20)
    """How often a request is sent again after what may pass: 408, 409, 429, 5xx, no connection, no answer in time."""


class OwnServerOptions(ApiOptions):
    """What a server of one's own, or a gateway before a provider, can be asked with beside that."""

    key_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The environment variable that holds the key; None is the provider's own at its own address, and none elsewhere:
    a provider's key is not for others."""


@dataclass(frozen=True, slots=True)
class Waits:
    """The clock and the sleep of a service, in seconds."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep


@dataclass(slots=True)
class Usage:
    """What a service was asked for so far. Providers bill by tokens: the cost is `tokens` times their price."""

    requests: int = 0
    """Requests sent, those that failed or were sent again among them."""
    tokens: int = 0
    """Tokens as the provider reported them; 0 where it reports none."""
    _lock: Any = field(default_factory=Lock, repr=False, compare=False)

    def add(self, requests: int = 0, tokens: int = 0) -> None:
        """Count; from any thread."""
        with self._lock:
            self.requests += requests
            self.tokens += tokens


def key_of(service: str, given: SecretStr | None, variable: str | None, *, required: bool = True) -> SecretStr | None:
    """The key that was given, or that of an environment variable; None where there is none and none is required.

    `variable` is None where another address was given, and no variable for its key. Raises ServiceError that
    names the variable, and never shows the key.
    """
    key = given.get_secret_value() if given is not None else os.environ.get(variable or "", "")
    key = key.strip()  # a file or a shell easily adds the end of a line
    if not key:
        if required and variable is None:
            why = "its key is not for another address; name the variable of that one's with key_env="
            raise ServiceError(service, f"{why}, or pass key=SecretStr(...)")
        if required:
            raise ServiceError(service, f"it wants a key; set {variable}, or pass key=SecretStr(...)")
        return None
    if not re.fullmatch(r"[!-~]+", key):
        # such a header is refused further down, by a message that shows it
        where = "key=" if given is not None else str(variable)
        raise ServiceError(service, f"the key in {where} has blanks or other characters that no key has; set it again")
    return SecretStr(key)


def address_of(name: str, url: str, *, key: SecretStr | None, insecure: bool) -> str:
    """The address of a service, without a slash at its end.

    Raises EncoderError for what is no http address, for one that holds a password, and for one that would send the
    key in the clear to another machine.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EncoderError(name, "url= is no http address; write url=https://host/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise EncoderError(name, "url= holds a user, a password or a query; give the bare address, and the key apart")
    if parts.scheme == "http" and key is not None and not insecure and not _is_local(parts.hostname):
        raise EncoderError(
            name, f"the key would go to {parts.hostname} unencrypted; use https://, or insecure=true if that is meant"
        )
    return url.rstrip("/")


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class _Failure:
    """What went wrong, out of whatever the client of a provider raised."""

    status: int | None
    reason: str
    passing: bool = False
    after: float | None = None
    """Seconds that the service asks to wait."""


class Service:
    """Calls the client of a provider: at its pace, again after what passes, with one kind of error for all.

    The clients' own retries are off: they neither count towards the pace nor tell that they happened, each waits by
    rules of its own, and none of the three has a limit for how long a Retry-After may hold a caller.
    """

    def __init__(
        self,
        name: str,
        options: ApiOptions,
        *,
        key: SecretStr | None,
        variable: str | None,
        url: str,
        waits: Waits | None = None,
    ) -> None:
        """Name the service and whom to ask; nothing is sent. `variable` is where the key belongs."""
        self.name = name
        self.url = url
        self.key = key
        self.options = options
        self.usage = Usage()
        self._variable = variable
        self._waits = waits or Waits()
        self._lock = Lock()
        self._next = float("-inf")

    def ask(self, call: Callable[[], T]) -> T:
        """Call until there is an answer, or what went wrong will not pass.

        Raises ServiceError, with the client's own error as its cause unless that one would show the key.
        """
        tenacity: Any = importlib.import_module("tenacity")
        backoff: Any = tenacity.wait_exponential_jitter(initial=_FIRST_WAIT, max=_LONGEST_WAIT)

        def passes(error: BaseException) -> bool:
            return self._failure(error).passing

        def wait(state: Any) -> float:
            after = self._failure(state.outcome.exception()).after
            return backoff(state) if after is None else after

        retrying: Any = tenacity.Retrying(
            retry=tenacity.retry_if_exception(passes),
            stop=tenacity.stop_after_attempt(1 + self.options.retries),
            wait=wait,
            sleep=self._waits.sleep,
            reraise=True,
        )
        try:
            return cast("T", retrying(self._once, call))
        except OctantError:
            raise
        except Exception as error:
            failure = self._failure(error)
            tried = retrying.statistics["attempt_number"]
            tries = f" ({tried} tries)" if tried > 1 else ""
            raised = ServiceError(self.name, self._without_key(failure.reason) + tries, failure.status)
            raise raised from (None if self._shows_key(error) else error)

    def _once(self, call: Callable[[], T]) -> T:
        self._keep_pace()
        self.usage.add(requests=1)
        return call()

    def _keep_pace(self) -> None:
        """Wait for this request's turn; each takes its own under the lock, and waits outside it."""
        if self.options.per_minute is None:
            return
        with self._lock:
            now = self._waits.clock()
            turn = max(now, self._next)
            self._next = turn + 60 / self.options.per_minute
        if turn > now:
            self._waits.sleep(turn - now)

    def _failure(self, error: BaseException) -> _Failure:
        """Read an error of openai, google-genai, cohere or httpx: they keep alike what came back."""
        if not isinstance(error, Exception) or isinstance(error, OctantError):
            return _Failure(None, str(error))
        status = _status_of(error)
        if status is not None and not 200 <= status < 300:
            return self._refused(error, status)
        if any("Timeout" in kind.__name__ for kind in type(error).__mro__):
            return _Failure(
                None, f"did not answer within {self.options.timeout:g} s; ask again, or allow more with timeout=", True
            )
        if any(kind.__name__ in ("TransportError", "APIConnectionError") for kind in type(error).__mro__):
            host = urlsplit(self.url).netloc
            cause = error.__cause__ or error
            return _Failure(None, f"cannot be asked at {host} ({cause}); is it running, and the address right?", True)
        return _Failure(status, f"answered what cannot be read ({type(error).__name__}); ask again, or see its status")

    def _refused(self, error: Exception, status: int) -> _Failure:
        said = self._without_key(_words_of(error))
        shown = said if len(said) <= _SHOWN else said[:_SHOWN] + "…"
        told = f" (HTTP {status}{': ' + shown if shown else ''})"
        if 300 <= status < 400:
            return _Failure(
                status, f"sends elsewhere{told}, where octant does not follow with your data; give that address as url="
            )
        if status in (401, 403) or _NO_KEY.search(said):
            remedy = (
                f"set {self._variable} to one that it takes" if self._variable else "name its variable with key_env="
            )
            what = "refuses the key" if self.key is not None else "wants a key"
            return _Failure(status, f"{what}{told}; {remedy}")
        if status == 404:
            return _Failure(status, f"has no such model or address{told}; check the model's name and url=")
        if status in _PASSING or status >= 500:
            after = _after(error)
            waits = after is None or after <= _PATIENCE
            spent = bool(_SPENT.search(said))
            if status == 429:
                remedy = "see your quota there" if spent or not waits else "ask less often with per_minute="
                told = f"was asked too much{told}; {remedy}"
            else:
                told = f"fails{told}; ask again later, or see its status page"
            if not waits:
                told += f"; it asks to wait {after:,.0f} s, which octant does not"
            return _Failure(status, told, waits and not spent, after)
        return _Failure(status, f"refuses the request{told}")

    def _without_key(self, text: str) -> str:
        return text if self.key is None else text.replace(self.key.get_secret_value(), "[key]")

    def _shows_key(self, error: Exception) -> bool:
        """Some services repeat the key that they refuse."""
        return self.key is not None and self.key.get_secret_value() in "".join(traceback.format_exception(error))


def _status_of(error: Exception) -> int | None:
    for holder, name in ((error, "status_code"), (error, "code"), (getattr(error, "response", None), "status_code")):
        value = getattr(holder, name, None)
        if isinstance(value, int):
            return value
    return None


def _body_of(error: Exception) -> Any:
    """What came back, as plain data where it is JSON."""
    for name in ("body", "details"):
        if (body := getattr(error, name, None)) is not None:
            return body
    text = getattr(getattr(error, "response", None), "text", "")
    try:
        return json.loads(text)
    except ValueError:
        return text


def _words_of(error: Exception) -> str:
    """The service's own words, on one line."""
    found: Any = _body_of(error)
    for _ in range(3):  # {"error": {"message": …}}, {"detail": [{"msg": …}]} and the like
        if isinstance(found, Mapping):
            known = cast("Mapping[str, Any]", found)
            code = known.get("code") or known.get("type")
            found = next((known[name] for name in ("error", "message", "detail", "msg") if known.get(name)), "")
            if isinstance(found, str) and isinstance(code, str) and code not in found:
                found = f"{found} [{code}]"
        elif isinstance(found, list) and found:
            found = next(iter(cast("Iterable[Any]", found)))
    return " ".join(str(cast("object", found)).split())


def _after(error: Exception) -> float | None:
    """Seconds to wait that came with a refusal: Retry-After (seconds or a date), or the RetryInfo of Google's errors.

    RFC 9110, 10.2.3; google.rpc.RetryInfo (google/rpc/error_details.proto).
    """
    headers: Any = getattr(error, "headers", None) or getattr(getattr(error, "response", None), "headers", None) or {}
    said: str = {str(name).lower(): value for name, value in headers.items()}.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", said):
        return float(said)
    if said:
        try:
            date = email.utils.parsedate_to_datetime(said)
        except ValueError:
            return None
        return max(0.0, date.timestamp() - time.time())
    found = re.search(r'"retryDelay": ?"(\d+(?:\.\d+)?)s"', json.dumps(_body_of(error), default=str))
    return float(found.group(1)) if found else None
