"""What a process that serves spares, once: when all that it needs is loaded, and before it has anything to do."""

import gc


def spare() -> None:
    """Have rubbish collected while there is little of it.

    What was loaded is never rubbish. The collector looks at everything once a quarter more has come: of the 300,000
    things that are loaded, so long that megabytes of rubbish had come together, and everybody waited while it looked.
    Frozen ones count no more; that they don't, it knows after it has looked once.
    """
    gc.collect()
    gc.freeze()
    gc.collect()
