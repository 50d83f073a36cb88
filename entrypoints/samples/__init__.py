"""
A market of our own making: raw messages as the upstream connectors send them, for the demo, tests and benchmarks.

`prices` makes numbers that move like prices, `feeds` states them the way each market does, `oddities` spoils some,
`stream` puts everything in order of arrival. All of it is a function of a seed and a start, so a run can be repeated.
"""
