-- Sorting arrays of numbers and of texts.
local function work(n)
    local numbers = {}
    local texts = {}
    local seed = 42
    local i = 0
    while i < n do
        seed = (seed * 1103515245 + 12345) % 2147483648
        numbers[#numbers + 1] = seed
        texts[#texts + 1] = "key" .. seed
        i = i + 1
    end
    local checksum = 0
    local round = 0
    while round < 16 do
        local sorted_numbers = table.move(numbers, 1, n, 1, {})
        table.sort(sorted_numbers)
        local sorted_texts = table.move(texts, 1, n, 1, {})
        table.sort(sorted_texts)
        checksum = checksum + sorted_numbers[n // 2 + 1] + #sorted_texts[n // 3 + 1]  -- Lua counts from 1
        round = round + 1
    end
    return checksum
end

work(500)
local start = os.clock()
local checksum = work(40000)
print(checksum, string.format("%.1f", (os.clock() - start) * 1000))
