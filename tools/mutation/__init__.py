"""Mutation testing of the pure modules: does a test fail for each small change of the code?

mutmut makes the mutants, and its release is pinned in `requirements.txt` beside this file. Its runner is not used,
because it leaves constants, properties and lambdas of a module alone. `trial` runs the tests of one mutant in a fork.
"""
