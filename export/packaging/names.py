"""Names of the layouts that an export's folder can have."""

CMAKE, ARDUINO, CMSIS_PACK, PLAIN = LAYOUT_NAMES = ("cmake", "arduino", "cmsis-pack", "plain")
