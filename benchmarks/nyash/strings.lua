-- Texts built piece by piece, numbers among the pieces.
local function work(n)
    local total = 0
    local i = 0
    while i < n do
        local text = ""
        local j = 0
        while j < 100 do
            text = text .. "item " .. j .. ", "
            j = j + 1
        end
        total = total + #text
        i = i + 1
    end
    return total
end

work(20)
local start = os.clock()
local checksum = work(10000)
print(checksum, string.format("%.1f", (os.clock() - start) * 1000))
