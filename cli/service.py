"""The API as the commands see it: whole lists, tables by name, rules as rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import ValidationError

from quality.client import ApiClient
from quality.documents import strictly
from quality.errors import NotFound, invalid_input
from quality.exchange.table_rules import TableRules
from quality.rules import Rule
from quality.settings import ClientSettings, load

PAGE = 500


class Service:
    """One API; settings are read when the first call needs them."""

    def __init__(self, settings: ClientSettings | None = None) -> None:
        self._settings = settings
        self._client: ApiClient | None = None

    @property
    def settings(self) -> ClientSettings:
        """Where the API is; ConfigurationError names the variable that is wrong."""
        if self._settings is None:
            self._settings = load(ClientSettings)
        return self._settings

    @property
    def client(self) -> ApiClient:
        """Calls below /api/v1."""
        if self._client is None:
            self._client = ApiClient(self.settings)
        return self._client

    def patient(self, seconds: float) -> ApiClient:
        """A further client that waits at least so long for an answer."""
        timeout = max(self.settings.api_timeout_s, seconds)
        return ApiClient(self.settings.model_copy(update={"api_timeout_s": timeout}))

    def items(
        self, path: str, params: dict[str, Any] | None = None, limit: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """The items of a list over all its pages, or the first `limit` of them."""
        asked = {name: value for name, value in (params or {}).items() if value is not None}
        left = limit
        cursor = None
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            page = self.client.get(
                path, {**asked, "limit": size, **({"cursor": cursor} if cursor else {})}
            )
            yield from page["items"]
            left = None if left is None else left - len(page["items"])
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def find_table(self, connection: str, name: str) -> dict[str, Any] | None:
        """A table as the API shows it, or None where it is not registered."""
        found = self.client.get("/tables", {"connection": connection, "table": name})["items"]
        return found[0] if found else None

    def table(self, connection: str, name: str) -> dict[str, Any]:
        """A registered table; NotFound with the remedy."""
        found = self.find_table(connection, name)
        if found is None:
            raise NotFound(
                f"table {name} of connection {connection} is not registered: "
                f"register it with `stringx tables add {name} --connection {connection}`"
            )
        return found

    def plans(self, table_id: int) -> bool:
        """Whether the API can plan. An older one, without versions, would store what is sent."""
        try:
            self.client.get(f"/tables/{table_id}/versions", {"limit": 1})
        except NotFound:
            return False
        return True

    def rules(self, table_id: int) -> tuple[Rule, ...]:
        """The rules of a table. Fields that a newer API has, and we have not, are left out."""
        return tuple(rule_of(item) for item in self.items(f"/tables/{table_id}/rules"))

    def stored(self, key: tuple[str, str]) -> TableRules | None:
        """A table with its rules, or None where it is not registered."""
        table = self.find_table(*key)
        return None if table is None else self.with_rules(table)

    def with_rules(self, table: dict[str, Any]) -> TableRules:
        """A table as the API shows it, with its rules."""
        return TableRules(
            connection=table["connection"],
            table=table["name"],
            owner=table["owner"],
            description=table["description"],
            rules=self.rules(table["id"]),
        )


def rule_of(item: dict[str, Any]) -> Rule:
    """A rule from what the API shows of it."""
    try:
        return strictly(Rule, {name: item[name] for name in Rule.model_fields if name in item})
    except ValidationError as error:
        what = f'rule "{item.get("name")}", as it is stored,'
        raise invalid_input(error, what, code="rule_not_understood") from None


def changing(path: str, author: str | None, reason: str | None, **more: str) -> str:
    """The path of a call that changes rules, saying who and why."""
    given = {"author": author, "reason": reason, **more}
    query = urlencode({name: value for name, value in given.items() if value}, quote_via=quote)
    return f"{path}?{query}" if query else path
