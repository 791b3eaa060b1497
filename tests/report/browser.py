"""A real browser, and a page that is open in it."""

import base64
import io
import json
import pathlib
import shutil
import time

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By

LAPTOP = {'width': 1366, 'height': 768, 'deviceScaleFactor': 1, 'mobile': False}
CHROMIUM, DRIVER = shutil.which('chromium'), shutil.which('chromedriver')
needed = pytest.mark.skipif(
  not (CHROMIUM and DRIVER), reason='no chromium with chromedriver is installed: the page is not opened in a browser'
)


def start():
  """Returns a browser of a laptop's size that logs what it is asked for."""
  options = webdriver.ChromeOptions()
  options.binary_location = CHROMIUM
  for argument in ('--headless=new', '--no-sandbox', '--disable-dev-shm-usage', '--window-size=1366,768'):
    options.add_argument(argument)
  options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
  opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
  opened.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', LAPTOP)
  return opened


def wait(condition, seconds):
  """Returns when the condition holds."""
  end = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < end, 'the page did not get there'
    time.sleep(0.02)


class Page:
  """A page that is open in the browser."""

  def __init__(self, driver, path: pathlib.Path):
    self.driver = driver
    driver.get_log('browser')
    driver.get_log('performance')
    driver.get(path.as_uri())
    self.wait(lambda: self.js('return document.body.dataset.ready') == 'true')

  def js(self, code, *arguments):
    return self.driver.execute_script(code, *arguments)

  def find(self, selector, index=0):
    return self.driver.find_elements(By.CSS_SELECTOR, selector)[index]

  def frame(self, index=0):
    return int(self.js('return document.querySelectorAll(".slice")[arguments[0]].dataset.frame', index))

  def press(self, *keys):
    ActionChains(self.driver).send_keys(*keys).perform()

  def click(self, selector, index=0):
    """Clicks as a keyboard user would, wherever the element lies."""
    self.js('arguments[0].click()', self.find(selector, index))

  def canvas(self, index=0):
    return self.js('return document.querySelectorAll(".stage canvas")[arguments[0]].toDataURL()', index)

  def go(self, frame, index=0):
    code = 'const e = arguments[0]; e.value = arguments[1]; e.dispatchEvent(new Event("input"))'
    self.js(code, self.find('.scrub', index), frame)

  def wait(self, condition, seconds=15):
    wait(condition, seconds)

  def addresses(self):
    """What the browser asked for since the page was opened."""
    messages = [json.loads(entry['message'])['message'] for entry in self.driver.get_log('performance')]
    return [m['params']['request']['url'] for m in messages if m['method'] == 'Network.requestWillBeSent']


def decode(uri):
  return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(',')[2]))).convert('RGB'), float)


def study_colours(page, values, component):
  """`[..., 3]`, the colours that the page should give to velocities."""
  study = json.loads(page.js('return document.getElementById("study").textContent'))
  share = np.clip(np.asarray(values) / study['ranges'][component], -1, 1)
  return np.array(study['colours'], float).reshape(-1, 3)[np.rint((share + 1) / 2 * 254).astype(int)]
