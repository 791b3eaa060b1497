"""Asks pip-audit for known vulnerabilities of what requirements.lock pins; exits with 1 where there are any.

pip-audit counts a package that its service does not know, or cannot be asked about, as sound. Here that is said.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parent.parent


def main() -> int:
  """Audits and says what was found."""
  with tempfile.TemporaryDirectory() as folder:
    report = pathlib.Path(folder) / 'report.json'
    options = ['--disable-pip', '--require-hashes', '--progress-spinner=off', '--format=json', f'--output={report}']
    command = [str(pathlib.Path(sys.executable).parent / 'pip-audit'), *options, '-r', str(ROOT / 'requirements.lock')]
    try:
      said = subprocess.run(command, capture_output=True, text=True, timeout=600).stderr
    except subprocess.TimeoutExpired:
      said = 'no answer in ten minutes'
    packages = json.loads(report.read_text())['dependencies'] if report.exists() else []
  audited = [package for package in packages if 'skip_reason' not in package]
  found = [(package, one) for package in audited for one in package['vulns']]
  if not audited:
    why = said.strip().splitlines()[-1] if said.strip() and not packages else 'it knows none of the packages'
    print(f'audit: skipped, since no vulnerability service could be asked ({why})')
  else:
    print(f'audit: {len(audited)} of {len(packages)} packages asked about, {len(found)} known vulnerabilities')
  for package, one in found:
    print(
      f'  {package["name"]} {package["version"]}: {one["id"]}, mended in {", ".join(one["fix_versions"]) or "none yet"}'
    )
  return 1 if found else 0


if __name__ == '__main__':
  sys.exit(main())
