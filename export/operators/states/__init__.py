"""Operators that keep values between inferences: LSTM, SVDF and resource variables."""
