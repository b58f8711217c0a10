"""Commands that measure how long this project's own work takes."""
