# A text taken apart, changed, and put together again.
import time


def work(n):
    text = "the quick brown fox jumps over the lazy dog and runs away from the other small animals"
    total = 0
    i = 0
    while i < n:
        words = text.split(" ")
        words[3] = words[3].upper()
        words[i % 10] = "word"
        joined = "-".join(words)
        total = total + len(joined) + joined.find("FOX")
        i = i + 1
    return total


work(1000)
start = time.perf_counter()
checksum = work(250000)
print(checksum, round((time.perf_counter() - start) * 1000, 1))
