"""Rules as files: our own YAML, dbt's schema.yml and manifest, the Open Data Contract Standard.

What cannot be carried over from one to another is an `Omission` with its reason; nothing is dropped
in silence.
"""
