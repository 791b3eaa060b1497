"""The defaults, for experiments to change: `ear_jax/config/fields.py` has every field with unit, reason and range."""

from ear_jax.config.fields import default_config as get_config

__all__ = ['get_config']
