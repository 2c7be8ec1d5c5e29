# Sorting arrays of numbers and of texts.
import time


def work(n):
    numbers = []
    texts = []
    seed = 42
    i = 0
    while i < n:
        seed = (seed * 1103515245 + 12345) % 2147483648
        numbers.append(seed)
        texts.append("key" + str(seed))
        i = i + 1
    checksum = 0
    round = 0
    while round < 16:
        sorted_numbers = numbers[0:n]
        sorted_numbers.sort()
        sorted_texts = texts[0:n]
        sorted_texts.sort()
        checksum = checksum + sorted_numbers[n // 2] + len(sorted_texts[n // 3])
        round = round + 1
    return checksum


work(500)
start = time.perf_counter()
checksum = work(40000)
print(checksum, round((time.perf_counter() - start) * 1000, 1))
