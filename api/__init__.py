"""The HTTP door: configuration, checks, results, metrics; the only owner of StringX's database."""
