"""The routes of pipelines: those of the Watcher framework at the root, and the newer ones."""

from api.routes.pipelines import executions, framework, pipelines

GROUPS = [pipelines.operations, executions.operations, framework.operations]
