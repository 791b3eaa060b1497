"""Velocity mapping as StrainMap's Siemens sequence stores it: read, checked and written."""
