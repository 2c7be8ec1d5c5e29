-- Array elements read and written: the primes below n.
local function work(n)
    local composite = {}
    local i = 0
    while i < n do
        composite[#composite + 1] = false
        i = i + 1
    end
    local primes = 0
    i = 2
    while i < n do
        if not composite[i + 1] then  -- Lua counts from 1
            primes = primes + 1
            local j = i + i
            while j < n do
                composite[j + 1] = true
                j = j + i
            end
        end
        i = i + 1
    end
    return primes
end

work(1000)
local start = os.clock()
local checksum = work(1000000)
print(checksum, string.format("%.1f", (os.clock() - start) * 1000))
