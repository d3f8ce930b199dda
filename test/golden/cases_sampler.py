"""sampler.json: {length, numReplicas, options: {shuffle, seed, dropLast}, epochs: [[[index] per rank]]}, torch.utils.data.DistributedSampler after set_epoch(0) and set_epoch(3)."""

from torch.utils.data import DistributedSampler

WAYS = [(10, 2), (11, 2), (11, 3), (3, 4), (1, 3), (100, 7), (64, 4), (2, 5), (7, 1)]


def cases():
    return list(orders())


def orders():
    for length, replicas in WAYS:
        for shuffle, drop_last, seed in ((False, False, 0), (False, True, 0), (True, False, 0), (True, True, 5)):
            epochs = []
            for epoch in (0, 3):
                ranks = []
                for rank in range(replicas):
                    sampler = DistributedSampler(range(length), replicas, rank, shuffle, seed, drop_last)
                    sampler.set_epoch(epoch)
                    indices = list(sampler)
                    assert len(indices) == len(sampler)
                    ranks.append(indices)
                epochs.append(ranks)
            name = f"{length} samples for {replicas}, shuffle {shuffle}, drop_last {drop_last}, seed {seed}"
            options = {"shuffle": shuffle, "seed": seed, "dropLast": drop_last}
            yield {"name": name, "length": length, "numReplicas": replicas, "options": options, "epochs": epochs}
