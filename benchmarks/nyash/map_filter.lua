-- Short functions called by map, filter and forEach.
-- Lua's library has none of the three.
local function map(list, f)
    local mapped = {}
    for i = 1, #list do mapped[i] = f(list[i]) end
    return mapped
end
local function filter(list, f)
    local kept = {}
    for i = 1, #list do
        local x = list[i]
        if f(x) then kept[#kept + 1] = x end
    end
    return kept
end
local function for_each(list, f)
    for i = 1, #list do f(list[i]) end
end

local function work(n)
    local numbers = {}
    local i = 0
    while i < 1000 do
        numbers[#numbers + 1] = i
        i = i + 1
    end
    local total = 0
    local round = 0
    while round < n do
        local kept = filter(map(numbers, function(x) return x * 3 + round end), function(x) return x % 2 == 0 end)
        for_each(kept, function(x) total = total + x end)
        round = round + 1
    end
    return total
end

work(20)
local start = os.clock()
local checksum = work(2000)
print(checksum, string.format("%.1f", (os.clock() - start) * 1000))
