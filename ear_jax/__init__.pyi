"""The names of `__init__.py`, for type checkers and editors."""

from ear_jax.analysis.carrying import Carried as Carried
from ear_jax.analysis.carrying import carry as carry
from ear_jax.analysis.motion import Settings as Settings
from ear_jax.analysis.motion import SliceMotion as SliceMotion
from ear_jax.analysis.slices import analyse as analyse
from ear_jax.analysis.volumes import Volumes as Volumes
from ear_jax.analysis.volumes import volumes as volumes
from ear_jax.cine import Cine as Cine
from ear_jax.cine import Study as Study
from ear_jax.config.fields import default_config as default_config
from ear_jax.formats.faults import MalformedStudy as MalformedStudy
from ear_jax.formats.open import open_studies as open_studies
from ear_jax.networks.export import export as export
from ear_jax.networks.load import load_network as load_network
from ear_jax.networks.segment import Delineation as Delineation
from ear_jax.networks.segment import Network as Network
from ear_jax.networks.segment import segment as segment
from ear_jax.phantom.study import phantom_study as phantom_study
from ear_jax.system.errors import UserError as UserError
from ear_jax.workflows.compare import compare as compare
from ear_jax.workflows.evaluate import evaluate as evaluate
from ear_jax.workflows.make_phantom import make_phantom as make_phantom
from ear_jax.workflows.predict import predict as predict
from ear_jax.workflows.train import train_and_evaluate

__version__: str
train = train_and_evaluate
