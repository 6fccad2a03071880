"""Each figure of the README beside a peer's: same data, same machine, same run."""
