# Array elements read and written: the primes below n.
import time


def work(n):
    composite = []
    i = 0
    while i < n:
        composite.append(False)
        i = i + 1
    primes = 0
    i = 2
    while i < n:
        if not composite[i]:
            primes = primes + 1
            j = i + i
            while j < n:
                composite[j] = True
                j = j + i
        i = i + 1
    return primes


work(1000)
start = time.perf_counter()
checksum = work(1000000)
print(checksum, round((time.perf_counter() - start) * 1000, 1))
