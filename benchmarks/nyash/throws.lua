-- Errors thrown two calls deep and caught; every other call succeeds.
local function check(n)
    if n % 2 == 0 then error("even") end
    return n
end
local function checked(n) return check(n) + 1 end

local function work(n)
    local caught = 0
    local sum = 0
    local i = 0
    while i < n do
        local ok, result = pcall(checked, i)
        if ok then
            sum = sum + result
        else
            caught = caught + 1
        end
        i = i + 1
    end
    return caught + sum
end

work(1000)
local start = os.clock()
local checksum = work(500000)
print(checksum, string.format("%.1f", (os.clock() - start) * 1000))
