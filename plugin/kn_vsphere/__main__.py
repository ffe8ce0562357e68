"""`python -m kn_vsphere`."""

from kn_vsphere import main

main()
