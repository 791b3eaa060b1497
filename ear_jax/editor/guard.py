"""Who may speak to the local server: the browser that was given the token, from the server's own page, and nobody else.

Any page of the web can send requests to 127.0.0.1, and can have its own name point there (DNS rebinding): so the Host
must be of the loopback, an Origin must be that Host, and everything needs the token, by a cookie that no script can
read and no other site can send. Through an ssh tunnel the port may be another.
"""

import hmac
import re
import secrets
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HOST = re.compile(r'(127\.0\.0\.1|localhost)(:[0-9]{1,5})?', re.ASCII)
_POLICY = (
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
POLICY = 'Content-Security-Policy'
_HEADERS = {
  POLICY: _POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-store',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
}


def refused(status: int, sentence: str) -> JSONResponse:
  """Returns an answer that says why there is none."""
  return JSONResponse({'error': sentence}, status)


class Guard:
  """Lets requests through to `app` that come from the page itself, and puts the same headers on every answer."""

  def __init__(self, app: ASGIApp, token: str):
    self._app, self._token = app, token
    self._cookie = f'ear_jax_{secrets.token_hex(4)}'  # several editors on one machine share cookies of 127.0.0.1

  async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
    if scope['type'] != 'http':
      return  # there are no web sockets here, and nothing to do at start and end (`lifespan`)

    async def with_headers(message: Message) -> None:
      if message['type'] == 'http.response.start':
        headers = MutableHeaders(scope=message)
        policy = headers.get(POLICY, _HEADERS[POLICY])  # a page of results has one of its own, as strict
        headers.update(_HEADERS | {POLICY: policy})
      await send(message)

    answer = self._answer(scope)
    await (answer or self._app)(scope, receive, with_headers)

  def _answer(self, scope: Scope) -> Response | None:
    """Returns the answer to who may not pass, or who brings the token; None for who may pass."""
    headers = Headers(scope=scope)
    hosts, origins = headers.getlist('host'), headers.getlist('origin')
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
      return refused(403, 'this server answers at 127.0.0.1 alone')
    if origins not in ([], [f'http://{hosts[0]}']):
      return refused(403, 'pages of other sites may not ask this server')
    if headers.get('sec-fetch-site', 'none') not in ('none', 'same-origin') and scope['path'] != '/':
      return refused(403, 'pages of other sites may not ask this server')
    given = parse_qs(scope['query_string'].decode('latin-1')).get('token', [])
    if scope['path'] == '/' and scope['method'] == 'GET' and given:
      return self._welcome(given)
    if not self._matches(_cookie(headers, self._cookie)):
      return refused(403, 'open the address that the terminal shows: it holds the token')
    return None

  def _welcome(self, given: list[str]) -> Response:
    if len(given) != 1 or not self._matches(given[0]):
      return refused(403, 'the token in this address is not of this server: open the address that the terminal shows')
    answer = RedirectResponse('/', 303)
    answer.set_cookie(self._cookie, self._token, httponly=True, samesite='strict', path='/')
    return answer

  def _matches(self, given: str) -> bool:
    return hmac.compare_digest(given.encode('utf-8', 'replace'), self._token.encode())


def _cookie(headers: Headers, name: str) -> str:
  """Returns the value of a cookie; '' where there is none, or several, of which one is somebody else's."""
  pairs = [part.strip().partition('=') for line in headers.getlist('cookie') for part in line.split(';')]
  values = [value for key, _, value in pairs if key == name]
  return values[0] if len(values) == 1 else ''
