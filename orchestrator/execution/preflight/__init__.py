"""Before the first joule: what a campaign downloads, needs, takes and spends, as far as that can be told."""
