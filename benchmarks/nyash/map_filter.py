# Short functions called by map, filter and forEach.
import time


def for_each(list, function):
    for x in list:
        function(x)


def work(n):
    numbers = []
    i = 0
    while i < 1000:
        numbers.append(i)
        i = i + 1
    total = 0

    def add(x):
        nonlocal total
        total = total + x

    round = 0
    while round < n:
        kept = list(filter(lambda x: x % 2 == 0, map(lambda x: x * 3 + round, numbers)))
        for_each(kept, add)
        round = round + 1
    return total


work(20)
start = time.perf_counter()
checksum = work(2000)
print(checksum, round((time.perf_counter() - start) * 1000, 1))
