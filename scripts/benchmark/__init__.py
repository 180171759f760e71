"""The measurement behind docs/performance.md: works of airbundle beside what people use today, run in turn.

Start it with ``scripts/bench``. ``images`` makes what is packed, ``servers`` starts engines and registries,
``measuring`` runs one command, ``turns`` compares commands, ``works`` holds one module per family of works,
``table`` and ``documents`` show the result.
"""
