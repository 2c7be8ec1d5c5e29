# Objects made and dropped: vectors, and a list that is built and let go.
import time


class Vector:
    def __init__(self, x, y):
        self.x = x
        self.y = y

    def plus(self, other):
        return Vector(self.x + other.x, self.y + other.y)


class Link:
    def __init__(self, value, next):
        self.value = value
        self.next = next


def work(n):
    sum = Vector(0, 0)
    checksum = 0
    i = 0
    while i < n:
        sum = sum.plus(Vector(i, 1))
        i = i + 1
    round = 0
    while round < n // 100:
        list = None
        j = 0
        while j < 100:
            list = Link(j, list)
            j = j + 1
        while list is not None:
            checksum = checksum + list.value
            list = list.next
        round = round + 1
    return sum.x + sum.y + checksum


work(1000)
start = time.perf_counter()
checksum = work(500000)
print(checksum, round((time.perf_counter() - start) * 1000, 1))
