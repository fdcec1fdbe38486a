"""Which members count how much: `select_blend` judges ways to blend and returns a `BlendReport` with the kept `Blend`.

Every way is scored on groups of tiles that its weights, tables and threshold were not chosen on. A `Blend` turns the
members' maps into one, in memory or from a run's folders.
"""
