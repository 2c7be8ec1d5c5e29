# Texts built piece by piece, numbers among the pieces.
import time


def work(n):
    total = 0
    i = 0
    while i < n:
        text = ""
        j = 0
        while j < 100:
            text = text + "item " + str(j) + ", "
            j = j + 1
        total = total + len(text)
        i = i + 1
    return total


work(20)
start = time.perf_counter()
checksum = work(10000)
print(checksum, round((time.perf_counter() - start) * 1000, 1))
