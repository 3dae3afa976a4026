"""Finished jobs in an experiment tracker that a user has already."""

from __future__ import annotations

from .mlflow import MlflowLog as MlflowLog
from .tracker import Tracker as Tracker
