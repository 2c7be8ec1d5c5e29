# Methods called on one object, and its fields read and written.
import time


class Account:
    def __init__(self, opening):
        self.balance = opening
        self.moves = 0

    def deposit(self, n):
        self.balance = self.balance + n
        self.moves = self.moves + 1

    def total(self):
        return self.balance


def work(n):
    account = Account(100)
    checksum = 0
    i = 0
    while i < n:
        account.deposit(i % 10)
        checksum = checksum + account.total() % 3
        i = i + 1
    return checksum + account.total() + account.moves


work(1000)
start = time.perf_counter()
checksum = work(2000000)
print(checksum, round((time.perf_counter() - start) * 1000, 1))
