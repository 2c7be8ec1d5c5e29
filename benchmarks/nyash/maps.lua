-- Entries put into a map under new keys, found again, changed and removed.
local function work(n)
    local counts = {}
    local size = 0  -- Lua's tables do not know how many entries they have
    local i = 0
    while i < n do
        counts["key" .. i] = i
        size = size + 1
        i = i + 1
    end
    local total = 0
    i = 0
    while i < n * 3 do
        local key = "key" .. (i * 7 % n)
        local old = counts[key]
        if old ~= nil then counts[key] = old + 1 end
        i = i + 1
    end
    i = 0
    while i < n do
        total = total + counts["key" .. i]
        if i % 2 == 0 then
            counts["key" .. i] = nil
            size = size - 1
        end
        i = i + 1
    end
    return total + size
end

work(1000)
local start = os.clock()
local checksum = work(200000)
print(checksum, string.format("%.1f", (os.clock() - start) * 1000))
