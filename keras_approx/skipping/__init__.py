"""Which products to skip: significance, granularity, masks, schedules, elimination. Pure NumPy."""
