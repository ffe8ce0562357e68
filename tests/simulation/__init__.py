"""A simulation of the poller: its real code between models of vCenter, the sink and the store, on a virtual clock.

Every thread of the poller is a greenlet, and every wait of it a call of one scheduler, which draws from one seed who
runs next. So a seed fixes a run completely. Nothing here is imported by the product or repeats its logic.

| module | content |
|---|---|
| `scheduler` | tasks, hosts with clocks, timers: the virtual machine |
| `threads`, `loop` | `threading`, `time` and an event loop on it |
| `substitution` | puts these into the modules of the poller |
| `vcenter`, `soap` | the model vCenter, and the connection to it |
| `sink` | the model sink and its HTTP client |
| `store` | the model API server and the model disk |
| `plan`, `faults` | the settings and the faults that a seed draws |
| `world` | one run: everything above, from start to verdict |
| `runs` | many runs, on several processes |
| `audit` | the invariants |
| `planted` | faults that the project once had, to be found again |
"""
