"""The shapes that the paths of pipelines answer with, by subject."""
