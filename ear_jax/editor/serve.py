"""Runs the local server until it is stopped, at an address that only who sees the terminal knows."""

import secrets
import socket
import threading
import webbrowser
from collections.abc import Sequence

import uvicorn
from starlette.types import ASGIApp

from ear_jax.editor.app import make_app
from ear_jax.editor.studies import Study
from ear_jax.system.errors import UserError

_HOST = '127.0.0.1'


def serve(studies: Sequence[Study], person: str, *, port: int = 0, browser: bool = True) -> None:
  """Serves the page until Ctrl-C.

  Args:
    studies: to be edited.
    person: pseudonym of who edits.
    port: 0: any that is free.
    browser: open the page.

  Raises: UserError when the port is taken.
  """
  token = secrets.token_urlsafe(24)
  with socket.socket() as listening:
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
      listening.bind((_HOST, port))
    except OSError as fault:
      raise UserError(f'--port={port} cannot be had ({fault.strerror}): give another, or 0 for any') from fault
    listening.listen()
    address = f'http://{_HOST}:{listening.getsockname()[1]}/?token={token}'
    print(f'open {address}\nstop it with Ctrl-C', flush=True)
    if browser:
      threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    try:  # Ctrl-C is how it ends: uvicorn closes what is open, and then raises
      server_of(make_app(studies, person, token)).run(sockets=[listening])
    except KeyboardInterrupt:
      print('closed; every gesture is on the disk')
    finally:
      for study in studies:
        study.close()


def server_of(app: ASGIApp) -> uvicorn.Server:
  """Returns the server of an application; it says nothing of requests, since the first address holds the token."""
  config = uvicorn.Config(
    app,
    access_log=False,
    log_level='warning',
    server_header=False,
    lifespan='off',
    ws='none',
    http='h11',
    timeout_graceful_shutdown=2,
  )
  return uvicorn.Server(config)
