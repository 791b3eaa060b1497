"""SLURM on this machine alone: Debian's `slurm-wlm` and `munge`, with nodes that can be killed.

A node is a process namespace of its own, with a host name and a loopback address: the kernel ends all that runs in it
when its first process is killed, as a power cut does. All files lie in one folder, and ports are free ones, so that a
SLURM that is already there is not touched. Namespaces want root.
"""

import contextlib
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence

_PROGRAMS = ('munged', 'slurmctld', 'slurmd', 'sbatch', 'unshare')
_SILENCE = 10  # seconds after which SLURM takes a node for dead; 300 by default
_CONF = """
ClusterName=trial
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={folder}/munge.socket
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SlurmdTimeout={silence}
ReturnToService=2
MinJobAge=86400
FirstJobId={first}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
_NODE = 'mount --bind "$0/hosts" /etc/hosts && hostname "$1" && exec slurmd -D -N "$1" -f "$0/slurm.conf"'


def missing() -> str:
  """Returns what this machine lacks, as a sentence; '' when it lacks nothing."""
  if absent := [name for name in _PROGRAMS if not shutil.which(name)]:
    return f'{", ".join(absent)} not found: apt-get install slurm-wlm munge'
  return '' if os.geteuid() == 0 else 'the nodes are process namespaces, which want root'


def version() -> str:
  """Returns the version of SLURM and of munge."""
  said = (subprocess.check_output([name, '-V'], text=True).split() for name in ('slurmctld', 'munged'))
  return ', '.join(' '.join(words[:2]) for words in said)


class Slurm:
  """A SLURM of some nodes of one core, from `with` to the end of the block; jobs take `SLURM_CONF` from there.

  Attributes:
    nodes: their names.
  """

  def __init__(self, folder: pathlib.Path, nodes: Sequence[str] = ('n1', 'n2'), gigabytes: int = 8):
    self.nodes, self._folder, self._gigabytes = tuple(nodes), folder, gigabytes
    self._running: dict[str, subprocess.Popen] = {}

  def __enter__(self) -> 'Slurm':
    try:
      self._begin()
    except BaseException:
      self.__exit__()
      raise
    return self

  def _begin(self) -> None:
    port, *ports = _free_ports(1 + len(self.nodes))
    (self._folder / 'state').mkdir()
    self._folder.chmod(0o755)  # munge refuses to listen where not everybody can come
    addresses = {name: f'127.0.0.{11 + number}' for number, name in enumerate(self.nodes)}
    lines = [
      f'NodeName={name} NodeAddr={addresses[name]} Port={ports[number]} CPUs=1 RealMemory={1000 * self._gigabytes}'
      for number, name in enumerate(self.nodes)
    ]
    first = 1 + secrets.randbelow(4000)  # jax makes the port of a run from the number of its job
    conf = _CONF.format(folder=self._folder, port=port, silence=_SILENCE, nodes='\n'.join(lines), first=first)
    (self._folder / 'slurm.conf').write_text(conf)
    hosts = {'localhost': '127.0.0.1'} | addresses
    (self._folder / 'hosts').write_text(''.join(f'{address} {name}\n' for name, address in hosts.items()))
    key = self._folder / 'munge.key'
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    os.environ['SLURM_CONF'] = str(self._folder / 'slurm.conf')
    kinds = ('key-file', 'socket', 'pid-file', 'log-file', 'seed-file')
    self._start('munge', 'munged', '--foreground', *(f'--{k}={self._folder}/munge.{k.split("-")[0]}' for k in kinds))
    wait((self._folder / 'munge.socket').exists, 'munge')
    self._start('slurmctld', 'slurmctld', '-D', '-f', str(self._folder / 'slurm.conf'))
    for name in self.nodes:
      self.switch_on(name)

  def __exit__(self, *_: object) -> None:
    for name in reversed(self._running):
      self._running[name].kill()
      self._running[name].wait()

  def switch_on(self, node: str) -> None:
    """Starts a node, and returns when SLURM can use it."""
    namespaces = ('--pid', '--mount', '--uts', '--fork', '--mount-proc', '--kill-child')
    self._start(node, 'unshare', *namespaces, 'sh', '-c', _NODE, str(self._folder), node)
    wait(lambda: self.state(node) in ('idle', 'mix', 'alloc'), f'node {node}')

  def switch_off(self, node: str) -> None:
    """Kills a node and all that runs on it, and returns when SLURM has noticed."""
    self._running[node].kill()
    self._running[node].wait()
    wait(lambda: self.state(node).startswith('down'), f'the end of node {node}')

  def state(self, node: str) -> str:
    """Returns what SLURM says of a node, in a word; '' while SLURM does not answer."""
    asked = subprocess.run(['sinfo', '-h', '-n', node, '-o', '%t'], capture_output=True, text=True)
    return asked.stdout.strip()

  def submit(self, script: str, *options: str) -> str:
    """Returns the number of the job of a shell script."""
    asked = ['sbatch', '--parsable', *options]
    return subprocess.run(asked, input=script, capture_output=True, text=True, check=True).stdout.strip()

  def jobs(self) -> list[dict[str, str]]:
    """Returns all jobs there have been, as `scontrol show job` has them: JobId, JobState, Restarts, NodeList, ..."""
    said = subprocess.check_output(['scontrol', '-o', 'show', 'job'], text=True)
    lines = [line for line in said.splitlines() if 'JobId=' in line]
    return [dict(word.split('=', 1) for word in line.split() if '=' in word) for line in lines]

  def job(self, number: str) -> dict[str, str]:
    """Returns one of them."""
    return next(job for job in self.jobs() if job['JobId'] == number)

  def _start(self, name: str, *command: str) -> None:
    with (self._folder / f'{name}.out').open('ab') as said:
      self._running[name] = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)


def wait(come: Callable[[], object], what: str, seconds: float = 60, every: float = 0.2) -> None:
  """Waits until `come()`; raises TimeoutError after some seconds."""
  deadline = time.monotonic() + seconds
  while not come():
    if time.monotonic() > deadline:
      raise TimeoutError(f'{what} did not come within {seconds:.0f} s')
    time.sleep(every)


def _free_ports(number: int) -> list[int]:
  with contextlib.ExitStack() as held:
    sockets = [held.enter_context(socket.create_server(('127.0.0.1', 0))) for _ in range(number)]
    return [each.getsockname()[1] for each in sockets]
