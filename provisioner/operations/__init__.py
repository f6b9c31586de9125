"""
What the commands do, without a command line: importable, and the same in a simulation.

An operation takes a `Session` (what is asked of all of it, its clients, its ports), the folder
of a stack and a request, and returns what came of it as a value.  It knows no click, terminal,
signal, environment variable or clock: it gets these as ports, and the caller decides what is
printed and which exit status that is.

    session          `StackOptions`, `Session`; `Ports` and `Console`, the world; `Misuse`
    clients          `Clients`: those of the providers, which all stacks of a run share
    checkout         git around a stack: which commit, whether an old one, where files may go
    stack_location   `StackLocation`: state, handles and the emulator's store of one stack
    load             manifest and content; or the working tree as far as it can be read
    observe          `Observation`: what is live, and by which clock
    count_tokens     the provider's counts of tokens, remembered
    check_limits     which limits of its stack a plan breaks.  Pure
    plan             `plan_stack` -> `PlannedStack`; the limits of a plan, and what is held back
    explain          `explain_cache` -> explanations
    drift            `drift_of`, `due_of`, and what an absent state means
    approvals        what was approved elsewhere
    decision         `ApplyRequest` -> `Decision`: what a run does, and what it leaves undone
    locked_state     a state that is held, and saved
    apply            `apply_stack` -> `Applied`; a `RunView` shows it meanwhile
    apply_manifest   what `apply` and `destroy` ask of it
    keepalive        `keep_alive` -> `Kept`
    read_records     `read_records` -> `Records`: what is on record, with its rent
    init_stack       a small stack to start from
    validate         `validate_stack` -> `Validation`, without a provider
    forecast         `forecast_stack` -> `Forecast`: what a schedule will do
    list_caches, collect_garbage, compare_revisions, edit_state, request: as they are named

Who calls whom: `cli` -> `review` -> `operations`, and `stack` -> `operations`; in here each module
calls those above it.  Nothing is exported from this package: a command imports the one module that
it needs.
"""
