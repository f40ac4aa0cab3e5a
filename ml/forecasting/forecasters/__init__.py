"""One forecaster a file, found by the file's name: a function `forecast` that keeps the protocol `Forecaster`."""
