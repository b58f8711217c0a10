"""What commands read from files, checked before it is used: arrays, samples, models, designs."""
