"""Where secrets are kept: one file a kind, each with ``look_up(reference, base)``; see `noria.security.secrets`."""
