"""Found by Python at its start where this folder is on PYTHONPATH: `clawgate gateway run` runs the stand-in."""

from __future__ import annotations

import sys
import types
from typing import Any


def run_gateway(**given: Any) -> None:
    import gateway_stand_in

    gateway_stand_in.run_gateway(**given)


module = types.ModuleType("clawgate.cli.gateway_run")
module.__dict__["run_gateway"] = run_gateway
sys.modules["clawgate.cli.gateway_run"] = module
