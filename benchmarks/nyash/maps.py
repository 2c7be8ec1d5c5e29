# Entries put into a map under new keys, found again, changed and removed.
import time


def work(n):
    counts = {}
    i = 0
    while i < n:
        counts["key" + str(i)] = i
        i = i + 1
    total = 0
    i = 0
    while i < n * 3:
        key = "key" + str(i * 7 % n)
        old = counts.get(key)
        if old is not None:
            counts[key] = old + 1
        i = i + 1
    i = 0
    while i < n:
        total = total + counts["key" + str(i)]
        if i % 2 == 0:
            del counts["key" + str(i)]
        i = i + 1
    return total + len(counts)


work(1000)
start = time.perf_counter()
checksum = work(200000)
print(checksum, round((time.perf_counter() - start) * 1000, 1))
