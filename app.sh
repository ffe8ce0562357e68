#!/bin/sh
# The s2i Python builder starts this; the Procfile says the same for Cloud Native Buildpacks.
exec python launcher.py
