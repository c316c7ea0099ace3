"""Does every parameter reach its engine? Run inside the images, by `make test-runtime`: only `runners` is there."""
