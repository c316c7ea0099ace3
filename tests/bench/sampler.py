def sampler_cpu_share(runs, seconds): return [0.0,0.0]
