"""
Whole runs in a world of bytes, from a seed: the real operations and the real client.

A *scenario* (`scenario`) is drawn from a seed and is data: stacks, entries and their texts,
runners, runs, edits between the runs, and faults.  A *simulation* (`simulation`) plays it: each run
is an operation of `provisioner.operations` or a method of `Stack` on a *machine* (`machine`), the
one object that a runner has of now, monotonic and boot time, waits, chance, tokens and threads.

Only bytes are simulated.  Below the machine there are three seams: the HTTP transport of the
provider's client, the HTTP transport of the server that keeps a state, and `Files` (conditional
read, write, delete) below lease and retry.  Behind them stand models that know nothing of
`provisioner`: a provider (`provider`) and stores (`stores`).

Time is virtual (`scheduler`): each run is a *process* with an event loop (`event_loop`) and
threads of its own, as greenlets; of what is ready the seed picks the next.  A call that leaves the
process, a *world call*, has moments: it is sent, it has its effect, its answer arrives.  Anything
may fall between them, and each fault falls there: a kill before or after the effect, a lost, late
or doubled answer, a suspension, a signal.

A kill is not a cancel: to cancel a coroutine, even to drop it, runs its `finally`.  At a kill the
ports of the process are dead: it is never resumed, and what its remains still call is refused
before it reaches the world.

Everything that happens is an event in a *log* (`log`).  The *checker* (`checker`) reads the log and
the scenario's own texts, imports nothing of `provisioner`, and names the rule that a world broke.
"""
