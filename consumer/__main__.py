"""`python -m consumer`: the Kafka worker. Everything is set by the environment (STRINGX_*)."""

from __future__ import annotations

import argparse
import sys

from confluent_kafka import Consumer, Producer

from consumer.service import Service
from quality import __version__
from quality.client import ApiClient
from quality.engine import EngineSettings, open_engine
from quality.errors import ConfigurationError, StringXError
from quality.logs import configure, get_logger
from quality.settings import ClientSettings, ConsumerSettings, KafkaSettings, load

EXIT_CONFIGURATION = 78  # sysexits.h, EX_CONFIG

log = get_logger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal; 0 after a clean end, 70 when Kafka is lost for good, 75 when it hung,
    78 when the settings cannot work."""
    parser = argparse.ArgumentParser(
        prog="python -m consumer",
        description="Takes check requests from Kafka, runs them and stores the results at the API.",
        epilog="Settings: STRINGX_KAFKA_BOOTSTRAP_SERVERS (required), STRINGX_API_URL, "
        "STRINGX_WORKER_TOKEN, STRINGX_CONSUMER_HOST, STRINGX_CONSUMER_PORT, DBT_PROJECT_DIR and "
        "DBT_PROFILES_DIR; the README has them all. Send a request: python -m consumer.send --help",
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.parse_args(arguments)
    try:
        settings, kafka, client = load(ConsumerSettings), load(KafkaSettings), load(ClientSettings)
        if settings.worker_token is not None:
            own = {"api_token": settings.worker_token, "api_token_file": None}
            client = client.model_copy(update=own)
        engine_settings = load(EngineSettings)
        configure("stringx-consumer", level=settings.log_level)
        if not kafka.bootstrap_servers:
            raise ConfigurationError(
                "STRINGX_KAFKA_BOOTSTRAP_SERVERS is not set: give host:port of a Kafka broker"
            )
        service = Service(
            settings,
            kafka,
            make_api=lambda: ApiClient(client),
            engine=open_engine(engine_settings),
            make_documentation_engine=lambda: open_engine(engine_settings),
            make_consumer=Consumer,
            make_producer=Producer,
        )
        return service.run()
    except StringXError as error:
        print(f"stringx: {error}", file=sys.stderr)
        return EXIT_CONFIGURATION if isinstance(error, ConfigurationError) else 1


if __name__ == "__main__":
    sys.exit(main())
