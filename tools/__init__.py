"""Commands for people who work on the project. Nothing here is in the image."""
