"""Between graph and C: what is computed by which kernel, where activations lie, and in what order."""

from export.schedule.network import Requirements, plan_network, price_network
from export.schedule.stage import Buffer, Schedule, Stage

__all__ = ["Buffer", "Requirements", "Schedule", "Stage", "plan_network", "price_network"]
