# Errors thrown two calls deep and caught; every other call succeeds.
import time


def check(n):
    if n % 2 == 0:
        raise ValueError("even")
    return n


def checked(n):
    return check(n) + 1


def work(n):
    caught = 0
    sum = 0
    i = 0
    while i < n:
        try:
            sum = sum + checked(i)
        except ValueError as e:
            caught = caught + 1
        i = i + 1
    return caught + sum


work(1000)
start = time.perf_counter()
checksum = work(500000)
print(checksum, round((time.perf_counter() - start) * 1000, 1))
