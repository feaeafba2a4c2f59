"""What came from outside, examined and made harmless in a process of its own, and shown as page images.

    source ─▶ examine: size ─▶ scanner (clamd) ─▶ workshop ─▶ Clean | Refused | Waits
                                                     │
              pages: image of a page  ─────────────▶ │ fd of the file, fd of the result
                                                     ▼
                                        nursery: one process, its own network namespace, no secrets
                                                     │ fork, one child a file, limited
                                                     ▼
                                        tasks: kinds/*: parse the structure, sanitise, write

Nothing of a file is parsed outside of such a child.
"""
