"""The Kafka worker: takes check requests from a topic, has them run, stores what came out.

Knows Kafka and our own HTTP API; neither a database nor a web framework. `python -m consumer`
runs it, `python -m consumer.send` sends it a request.
"""
