"""What the page sends, from bytes to a gesture: JSON of a limited size, each field of the kind that is expected."""

import json
import math
from typing import Any

from starlette.requests import Request

from ear_jax.editor.edits import DRAWING, STATES
from ear_jax.editor.handles import FEWEST, MOST, SIDES
from ear_jax.system.errors import UserError

LARGEST = 2**20  # bytes of a request
_MOST_FRAMES = 10_000
_LARGEST_NUMBER = 1e6


class Refused(UserError):
  """A request that cannot be answered; `status` is HTTP's."""

  def __init__(self, status: int, sentence: str):
    super().__init__(sentence)
    self.status = status


async def body(request: Request) -> dict[str, Any]:
  """Returns the object that a request holds.

  Raises: Refused for another type, a size beyond `LARGEST`, or what is no JSON object.
  """
  if request.headers.get('content-type', '').partition(';')[0].strip().lower() != 'application/json':
    raise Refused(415, 'a request holds application/json')
  stated = request.headers.get('content-length', '0')
  if not stated.isascii() or not stated.isdigit() or len(stated) > 12 or int(stated) > LARGEST:
    raise Refused(413, f'a request is at most {LARGEST} bytes')
  data = bytearray()
  async for chunk in request.stream():
    data += chunk
    if len(data) > LARGEST:
      raise Refused(413, f'a request is at most {LARGEST} bytes')
  try:
    value = json.loads(data or b'{}', parse_constant=_no_number)
  except (ValueError, RecursionError) as fault:
    raise Refused(400, 'the request is no JSON') from fault
  if not isinstance(value, dict):
    raise Refused(400, 'the request is no JSON object')
  return value


def _no_number(name: str) -> None:
  raise ValueError(f'{name} is no number of JSON')


def whole(given: dict[str, Any], name: str) -> int:
  """Returns a whole number of a request. Raises: Refused."""
  value = given.get(name)
  if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 2**31:
    raise Refused(400, f'{name}: expected a whole number from 0')
  return value


def flag(given: dict[str, Any], name: str) -> bool:
  """Returns a yes or no of a request, no where it is not there. Raises: Refused."""
  value = given.get(name, False)
  if not isinstance(value, bool):
    raise Refused(400, f'{name}: expected true or false')
  return value


def only(given: dict[str, Any], *names: str) -> None:
  """Raises Refused for a field that nobody expects: what would be passed over silently was meant to do something."""
  if unknown := sorted(set(given) - set(names)):
    raise Refused(400, f'unknown field {unknown[0][:40]!r}')


def edit(given: dict[str, Any]) -> dict[str, Any]:
  """Returns the gesture of a request to edit; points are checked to be numbers, not to make sense. Raises: Refused."""
  only(given, 'version', 'preview', 'what', 'frames', 'septum', 'insertion')
  what = given.get('what')
  if what == 'septum':
    return {'what': what, 'septum': _point(given.get('septum'), 'septum')}
  if what == 'insertion':
    points = given.get('insertion')
    if not isinstance(points, list) or len(points) != 2:
      raise Refused(400, 'insertion: expected two points')
    return {'what': what, 'insertion': [_point(point, 'insertion') for point in points]}
  if what not in DRAWING:
    raise Refused(400, f'what: expected one of {", ".join((*DRAWING, "septum", "insertion"))}')
  frames = given.get('frames')
  if not isinstance(frames, dict) or not 0 < len(frames) <= _MOST_FRAMES:
    raise Refused(400, 'frames: expected the contours of one frame or more')
  found = {str(_frame(t)): _borders(borders, t) for t, borders in frames.items()}
  brought = {tuple(one) for one in found.values()}
  if len(brought) > 1:
    raise Refused(400, 'frames: expected the same borders in all frames of a gesture')
  (borders,) = brought
  border = {'border': borders[0]} if len(borders) == 1 else {}
  return {'what': what, **border, 'frames': found}


def pin(given: dict[str, Any]) -> dict[str, Any]:
  """Returns the gesture of a request to pin, keep or free a frame. Raises: Refused."""
  only(given, 'version', 'frame', 'state')
  if given.get('state') not in STATES:
    raise Refused(400, f'state: expected one of {", ".join(STATES)}')
  return {'what': 'pin', 'frame': whole(given, 'frame'), 'state': given['state']}


def clear(given: dict[str, Any]) -> dict[str, Any]:
  """Returns the gesture of a request to take the contours of a frame away. Raises: Refused."""
  only(given, 'version', 'frame')
  return {'what': 'clear', 'frame': whole(given, 'frame')}


def _frame(name: str) -> int:
  if not (name.isascii() and name.isdigit() and len(name) <= 5):
    raise Refused(400, 'frames: expected frames by their numbers, from 0')
  return int(name)


def _borders(given: Any, frame: str) -> dict[str, list[list[float]]]:
  if not isinstance(given, dict) or not given or set(given) - {*SIDES}:
    raise Refused(400, f'frame {frame}: expected endo, epi or both')
  return {side: _points(given[side], f'frame {frame}, {side}') for side in SIDES if side in given}


def _points(given: Any, where: str) -> list[list[float]]:
  if not isinstance(given, list) or not FEWEST <= len(given) <= MOST:
    raise Refused(422, f'{where}: expected {FEWEST} to {MOST} points')
  return [_point(point, where) for point in given]


def _point(given: Any, where: str) -> list[float]:
  if not isinstance(given, list) or len(given) != 2:
    raise Refused(400, f'{where}: a point is two numbers, row and column')
  for value in given:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LARGEST_NUMBER:
      raise Refused(422, f'{where}: a point is not within the picture')
  return [round(float(value), 4) for value in given if math.isfinite(value)]
