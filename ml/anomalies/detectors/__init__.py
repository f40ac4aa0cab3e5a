"""One detector a file, found by the file's name. See `Detector`."""
