"""
The refinery under a seeded scheduler: its stages, loops and adapters in memory, killed, paused and lied to at every call.

One seed is one world: `swarm` draws what may go wrong in it, `workload` what is said, `world` runs the processes of all
four stages over `ports` that ask `faults` what to do, `checking` watches every write and announcement, and `truth` says
in plain Python how all tables must end. `mutants` are broken variants of the product that must be caught.
"""
