"""3D-EAR: left-ventricular delineation and myocardial velocity analysis for velocity-mapping cardiac MR."""

__version__ = '0.1.0'
