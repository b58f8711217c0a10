"""Firmware that measures an exported network on a board, and what it printed beside what was predicted."""

from export.firmware.project import Firmware, write_firmware

__all__ = ["Firmware", "write_firmware"]
