"""The demo: a year of flights from New York City, and what is known to be wrong with them."""
