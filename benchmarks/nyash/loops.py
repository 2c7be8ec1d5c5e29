# Integer arithmetic in two nested loops.
import time


def work(n):
    sum = 0
    i = 0
    while i < n:
        j = 0
        while j < n:
            sum = sum + (i * j + 3) % 7
            j = j + 1
        i = i + 1
    return sum


work(100)
start = time.perf_counter()
checksum = work(3000)
print(checksum, round((time.perf_counter() - start) * 1000, 1))
