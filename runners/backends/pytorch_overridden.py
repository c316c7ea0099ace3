"""What transformers did otherwise than asked, from what it says of itself. Pure."""

from __future__ import annotations

from typing import Any, Final

from runners.contract.options.pytorch import PytorchOptions

_CACHES: Final = {
    "dynamic": ("DynamicCache", False),
    "offloaded": ("DynamicCache", True),
    "static": ("StaticCache", False),
    "offloaded_static": ("StaticCache", True),
    "quantized": ("QuantizedCache", False),
}
"""The class of each cache, and whether it is offloaded."""


def overridden(options: PytorchOptions, config: dict[str, Any]) -> list[str]:
    """Sentences on what differs; empty where all is as it was asked for.

    Args:
        options: what was asked for.
        config: what the engine says it did.
    """
    found = []
    cache = config["cache"]
    if options.cache_implementation is not None:
        wanted = _CACHES[options.cache_implementation]
        if cache is None or (cache["class"], cache["offloaded"]) != wanted:
            found.append(
                f"cache_implementation {options.cache_implementation} was asked for, and the cache was {cache}"
            )
    quantization = config.get("quantization")
    if options.quantization is None and quantization is not None:
        found.append(f"no quantization was asked for, and the checkpoint is quantised by {quantization['method']}")
    if options.quantization == "bitsandbytes_4bit" and quantization is not None:
        dtype = options.bnb_4bit_compute_dtype or options.dtype
        if quantization.get("compute_dtype") != [dtype]:
            found.append(f"4-bit layers were to compute in {dtype}, and did in {quantization.get('compute_dtype')}")
    off_gpu = sorted({place for place in config.get("device_map", {}).values() if place in ("cpu", "disk")})
    if options.device_map and off_gpu and options.device != "cpu":
        found.append(f"device_map {options.device_map} left parts of the model on {' and '.join(off_gpu)}")
    if options.num_threads not in (None, config["torch_num_threads"]):
        found.append(f"num_threads was to be {options.num_threads}, and is {config['torch_num_threads']}")
    generation = config["generation"]
    settings = {name: getattr(options, name) for name in ("do_sample", "num_beams", *options.GENERATION_FIELDS)}
    del settings["cache_implementation"]  # judged above by the cache itself
    settings |= {f"generation_args.{name}": asked for name, asked in options.generation_args.items()}
    for name, asked in settings.items():
        used = generation.get(name.rpartition(".")[2])
        if asked is not None and used != asked:
            found.append(f"{name} was to be {asked!r}, and is {used!r}")
    return found
