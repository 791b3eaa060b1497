"""The local server: routes from the page's requests to the studies, and refusals in a sentence."""

import json
import pathlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from absl import logging
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ear_jax.editor import requests, views
from ear_jax.editor.guard import POLICY, Guard, refused
from ear_jax.editor.requests import Refused
from ear_jax.editor.save import PAGE, Busy, results_of, save
from ear_jax.editor.slice import Slice, Stale
from ear_jax.editor.studies import Study
from ear_jax.formats.faults import MalformedStudy
from ear_jax.report.page import policy
from ear_jax.system.errors import UserError

_STATIC = pathlib.Path(__file__).parent / 'static'
_OPEN = 3  # studies in memory
_TYPES = {
  '.html': 'text/html',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
}
_FRAMELESS = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"  # beyond what a page says of itself


class _Server:
  """The handlers; each has one study, or one slice, and a thread of its own."""

  def __init__(self, studies: Sequence[Study], person: str):
    self._studies, self._person = studies, person
    self._worker = ThreadPoolExecutor(1, 'delineate')
    self._recent: list[Study] = []

  def _study(self, request: Request) -> Study:
    index = request.path_params['study']
    if index >= len(self._studies):
      raise Refused(404, 'there is no such study')
    return self._studies[index]

  def _opened(self, request: Request) -> Study:
    """The study, read and delineated. Raises: _NotYet."""
    study = self._study(request)
    if study.opened.faults:
      raise Refused(422, f'{study.name} cannot be read: {study.opened.faults[0].rule}')
    self._remember(study)
    if not study.ready(self._worker):
      raise _NotYet(study)
    return study

  def _remember(self, study: Study) -> None:
    """Closes the study that nobody has asked for the longest, so that a list of any length takes no more memory."""
    self._recent = [study, *(one for one in self._recent if one is not study)]
    for one in self._recent[_OPEN:]:
      one.close()
    self._recent = self._recent[:_OPEN]

  def _slice(self, request: Request) -> Slice:
    slices = self._opened(request).slices
    number = request.path_params['slice']
    if number >= len(slices):
      raise Refused(404, 'there is no such slice')
    return slices[number]

  def list(self, request: Request, given: dict) -> Any:
    studies = [one.listed(index) for index, one in enumerate(self._studies)]
    return {'person': self._person, 'studies': studies}

  def study(self, request: Request, given: dict) -> Any:
    return self._opened(request).described(request.path_params['study'])

  def progress(self, request: Request, given: dict) -> Any:
    progress = self._study(request).progress
    return {'doing': progress.doing, 'share': round(progress.share, 3)}

  def slice(self, request: Request, given: dict) -> Any:
    return self._slice(request).state()

  def view(self, request: Request, given: dict) -> Response:
    one, view = self._slice(request), request.path_params['view']
    if view not in views.names_of(one.cine):
      raise Refused(404, 'there is no such view')
    data = self._opened(request).sheet(request.path_params['slice'], view)
    return Response(data, media_type='image/png')

  def edit(self, request: Request, given: dict) -> Any:
    gesture, preview = requests.edit(given), requests.flag(given, 'preview')
    return self._taken(request, given, gesture, preview)

  def pin(self, request: Request, given: dict) -> Any:
    return self._taken(request, given, requests.pin(given))

  def clear(self, request: Request, given: dict) -> Any:
    return self._taken(request, given, requests.clear(given))

  def undo(self, request: Request, given: dict) -> Any:
    requests.only(given, 'version')
    return self._taken(request, given, {'what': 'undo'})

  def redo(self, request: Request, given: dict) -> Any:
    requests.only(given, 'version')
    return self._taken(request, given, {'what': 'redo'})

  def _taken(self, request: Request, given: dict, gesture: dict, preview: bool = False) -> Any:
    version = requests.whole(given, 'version')
    return self._slice(request).edit(version, gesture | {'person': self._person}, preview=preview)

  def whole(self, request: Request, given: dict) -> Any:
    requests.only(given)
    study = self._opened(request)
    self._slice(request)
    study.widen(request.path_params['slice'])
    return study.described(request.path_params['study'])

  def save(self, request: Request, given: dict) -> Any:
    requests.only(given)
    return save(self._opened(request), self._person)

  def results(self, request: Request, given: dict) -> Response:
    """A file of a study's results: of those that lie there, so that no name leads elsewhere."""
    study, name = self._study(request), request.path_params['name']
    if (path := results_of(study.folder).get(name)) is None:
      raise Refused(404, 'there is no such file among the results: save them first')
    kind = _TYPES.get(path.suffix, 'application/octet-stream')
    headers = {POLICY: f'{policy(study.name)}; {_FRAMELESS}'} if name == PAGE else {}
    return Response(path.read_bytes(), media_type=kind, headers=headers)

  def done(self, request: Request, given: dict) -> Any:
    requests.only(given, 'done')
    self._opened(request).set_done(requests.flag(given, 'done'))
    return {'done': given.get('done', False)}


class _NotYet(Exception):
  """The study is still being read."""

  def __init__(self, study: Study):
    super().__init__(study.name)
    self.progress = study.progress


def make_app(studies: Sequence[Study], person: str, token: str) -> Guard:
  """Returns the server's application.

  Args:
    studies: in the order of the list.
    person: pseudonym of who edits.
    token: what the browser must bring.
  """
  server = _Server(studies, person)
  study, one = '/api/study/{study:int}', '/api/study/{study:int}/slice/{slice:int}'
  got = {
    '/api/list': server.list,
    study: server.study,
    f'{study}/progress': server.progress,
    one: server.slice,
    one + '/view/{view}.png': server.view,
    '/study/{study:int}/{name}': server.results,
  }
  posted = {f'{one}/{name}': getattr(server, name) for name in ('edit', 'undo', 'redo', 'pin', 'clear', 'whole')}
  posted |= {f'{study}/{name}': getattr(server, name) for name in ('save', 'done')}
  hidden = sorted({str(one.folder.parent) for one in studies})  # who chose it may have named it after a patient
  routes = [Route(path, _answering(handler, hidden), methods=['GET']) for path, handler in got.items()]
  routes += [Route(path, _answering(handler, hidden), methods=['POST']) for path, handler in posted.items()]
  routes += [Route('/', _file), Route('/{name}', _file), Route('/static/{name}', _file)]
  app = Starlette(routes=routes, exception_handlers={HTTPException: _unknown, 500: _broken})
  return Guard(app, token)


def _answering(handler: Callable[[Request, dict], Any], hidden: Sequence[str]) -> Callable:
  async def answer(request: Request) -> Response:
    try:
      given = await requests.body(request) if request.method == 'POST' else {}
      content = await run_in_threadpool(handler, request, given)
    except _NotYet as early:
      return JSONResponse({'doing': early.progress.doing, 'share': round(early.progress.share, 3)}, 202)
    except (Stale, Busy) as fault:
      return refused(409, str(fault))
    except Refused as fault:
      return refused(fault.status, str(fault))
    except MalformedStudy as fault:
      return refused(422, str(fault.faults[0].rule) if fault.faults else 'the study cannot be read')
    except UserError as fault:
      sentence = str(fault)
      for folder in hidden:
        sentence = sentence.replace(folder, 'the output folder')
      return refused(422, sentence)
    except OSError as fault:
      return refused(507, f'it cannot be written ({fault.strerror}): make room on the disk; nothing of it was taken')
    if isinstance(content, Response):
      return content
    return Response(json.dumps(content, allow_nan=False, separators=(',', ':')), media_type='application/json')

  return answer


async def _file(request: Request) -> Response:
  """A file of the page; names are looked up among those that are there, so that none leads elsewhere."""
  name = request.path_params.get('name', 'index.html')
  known = {path.name: path for path in _STATIC.iterdir() if path.suffix in _TYPES}
  if name not in known:
    return refused(404, 'there is no such page')
  return Response(known[name].read_bytes(), media_type=_TYPES[known[name].suffix])


async def _unknown(request: Request, fault: Exception) -> Response:
  status = fault.status_code if isinstance(fault, HTTPException) else 404
  return refused(status, 'this address takes another method' if status == 405 else 'there is no such page')


async def _broken(request: Request, fault: Exception) -> Response:
  logging.error('%s of an editor request', type(fault).__name__, exc_info=fault)
  return refused(500, 'the server met an error of its own; the terminal tells more. What was edited is on the disk')
