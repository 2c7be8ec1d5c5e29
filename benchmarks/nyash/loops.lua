-- Integer arithmetic in two nested loops.
local function work(n)
    local sum = 0
    local i = 0
    while i < n do
        local j = 0
        while j < n do
            sum = sum + (i * j + 3) % 7
            j = j + 1
        end
        i = i + 1
    end
    return sum
end

work(100)
local start = os.clock()
local checksum = work(3000)
print(checksum, string.format("%.1f", (os.clock() - start) * 1000))
