-- Function calls: the Fibonacci numbers by naive recursion.
local function fib(n)
    if n < 2 then return n end
    return fib(n - 1) + fib(n - 2)
end
local function work(n) return fib(n) end

work(20)
local start = os.clock()
local checksum = work(32)
print(checksum, string.format("%.1f", (os.clock() - start) * 1000))
