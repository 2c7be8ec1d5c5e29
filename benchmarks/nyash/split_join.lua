-- A text taken apart, changed, and put together again.
-- Lua's library cannot split: this is the usual loop.
local function split(text, separator)
    local words = {}
    local from = 1
    while true do
        local at = string.find(text, separator, from, true)
        if not at then break end
        words[#words + 1] = string.sub(text, from, at - 1)
        from = at + #separator
    end
    words[#words + 1] = string.sub(text, from)
    return words
end

local function work(n)
    local text = "the quick brown fox jumps over the lazy dog and runs away from the other small animals"
    local total = 0
    local i = 0
    while i < n do
        local words = split(text, " ")
        words[4] = string.upper(words[4])  -- Lua counts from 1
        words[i % 10 + 1] = "word"
        local joined = table.concat(words, "-")
        local at = string.find(joined, "FOX", 1, true)
        total = total + #joined + (at and at - 1 or -1)
        i = i + 1
    end
    return total
end

work(1000)
local start = os.clock()
local checksum = work(250000)
print(checksum, string.format("%.1f", (os.clock() - start) * 1000))
