"""A dbt project kept in memory, against which the tests of one table after the other are compiled.

A `dbt compile` spends most of its time on what never changes: command line, profile, project, five
hundred macros. Here that is done once. For the tests themselves dbt's own classes are called, those
that its command calls and in the same order (dbt-core 1.11: `requires.setup_manifest`,
`ManifestLoader.load`, `GraphRunnableTask`, `CompileRunner`), so that they give the same SQL.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dbt.adapters.factory import FACTORY, get_adapter, register_adapter, reset_adapters
from dbt.cli.flags import Flags
from dbt.cli.types import Command
from dbt.compilation import Compiler
from dbt.config.runtime import RuntimeConfig, load_profile, load_project
from dbt.context.providers import generate_runtime_macro_context
from dbt.context.query_header import generate_query_header_context
from dbt.contracts.files import FileHash, FilePath, ParseFileType, SchemaSourceFile
from dbt.contracts.graph.manifest import Manifest
from dbt.exceptions import ParsingError
from dbt.flags import set_flags
from dbt.mp_context import get_mp_context
from dbt.parser.manifest import ManifestLoader
from dbt.parser.schemas import SchemaParser
from dbt.parser.sources import SourcePatcher
from dbt.selected_resources import set_selected_resources
from dbt_common.context import set_invocation_context
from dbt_common.exceptions import CompilationError

from quality.engine.dbt.nodes import compiled_test, overridden_judging

REJECTIONS = (CompilationError, ParsingError)
"""What dbt raises for a test that it cannot make sense of."""


class ResidentProject:
    """A project without rules, for one target. dbt's globals are set anew for each compilation."""

    def __init__(self, macros: dict[str, Any], options: dict[str, Any]) -> None:
        """`macros` are those of the parsed project; `options` are dbt's, as its flags name them."""
        # Partial parsing is for what is on disk.
        self._flags = Flags.from_dict(Command.COMPILE, options | {"partial_parse": False})
        set_flags(self._flags)
        set_invocation_context(os.environ)
        profile = load_profile(
            options["project_dir"], {}, options["profile"], options["target"], options["threads"]
        )
        project = load_project(options["project_dir"], False, profile, {}, validate=True)
        self._config = RuntimeConfig.from_parts(project, profile, self._flags)
        self._projects = self._config.load_dependencies()
        self._macros = macros
        self._overridden = overridden_judging(macros.values())
        self._adapter: Any = None

    def compile(
        self, sources: list[dict[str, Any]], variables: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """The tests of the sources, as `nodes.compiled_test` has them, in no order.

        A test that dbt refuses has its name and the reason, `rejected`.
        """
        set_flags(self._flags)
        set_invocation_context(os.environ)
        adapter = self._registered()
        self._config.cli_vars = variables
        manifest = self._parsed(sources)
        adapter.set_macro_resolver(manifest)
        adapter.connections.set_query_header(
            generate_query_header_context(adapter.config, manifest)
        )
        set_selected_resources(manifest.nodes)
        compiler = Compiler(self._config)
        try:
            return [self._compiled(node, manifest, compiler) for node in manifest.nodes.values()]
        finally:
            adapter.cleanup_connections()

    def _registered(self) -> Any:
        """Our adapter, which dbt's own commands replace by theirs."""
        if self._adapter is None or FACTORY.adapters.get(self._adapter.type()) is not self._adapter:
            reset_adapters()
            register_adapter(self._config, get_mp_context())
            self._adapter = get_adapter(self._config)
            self._adapter.set_macro_context_generator(generate_runtime_macro_context)
        return self._adapter

    def _parsed(self, sources: list[dict[str, Any]]) -> Manifest:
        loader = ManifestLoader(self._config, self._projects)
        manifest = loader.manifest
        manifest.macros = self._macros
        name = self._config.project_name
        file = SchemaSourceFile(
            path=FilePath("models", "sources.yml", 0.0, str(Path(self._config.project_root))),
            checksum=FileHash.empty(),
            project_name=name,
            parse_file_type=ParseFileType.Schema,
            dfy={"version": 2, "sources": sources},
        )
        manifest.files[file.file_id] = file
        loader.parse_project(
            self._projects[name], {SchemaParser.__name__: [file.file_id]}, [SchemaParser]
        )
        patcher = SourcePatcher(self._config, manifest)
        patcher.construct_sources()
        manifest.sources = patcher.sources
        manifest.build_parent_and_child_maps()
        loader.process_sources(name)
        loader.process_refs(name, self._config.dependencies)
        manifest.build_flat_graph()
        return manifest

    def _compiled(self, node: Any, manifest: Manifest, compiler: Compiler) -> dict[str, Any]:
        try:
            # A connection is opened only by a macro that asks the database.
            with self._adapter.connection_named(node.unique_id, node):
                compiled = compiler.compile_node(node, manifest, {}, write=False)
        except REJECTIONS as error:
            return {"name": node.name, "rejected": str(error)}
        return compiled_test(compiled, self._overridden)
