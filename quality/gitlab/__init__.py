"""Owners of pipeline schedules on platforms that speak GitLab's API: who owns which, and handing
them over. `platform` is the one place that knows python-gitlab."""

from quality.gitlab.ownership import Scan, Transfer, scan, transfer
from quality.gitlab.platform import Platform
from quality.gitlab.settings import GitLabSettings

__all__ = ["GitLabSettings", "Platform", "Scan", "Transfer", "scan", "transfer"]
