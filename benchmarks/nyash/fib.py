# Function calls: the Fibonacci numbers by naive recursion.
import time


def fib(n):
    if n < 2:
        return n
    return fib(n - 1) + fib(n - 2)


def work(n):
    return fib(n)


work(20)
start = time.perf_counter()
checksum = work(32)
print(checksum, round((time.perf_counter() - start) * 1000, 1))
