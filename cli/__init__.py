"""The command line of StringX: everything through the API, for people and for pipelines."""
