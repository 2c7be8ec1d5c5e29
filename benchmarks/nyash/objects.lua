-- Objects made and dropped: vectors, and a list that is built and let go.
local Vector = {}
Vector.__index = Vector
function Vector.new(x, y) return setmetatable({ x = x, y = y }, Vector) end
function Vector:plus(other) return Vector.new(self.x + other.x, self.y + other.y) end

local Link = {}
Link.__index = Link
function Link.new(value, next) return setmetatable({ value = value, next = next }, Link) end

local function work(n)
    local sum = Vector.new(0, 0)
    local checksum = 0
    local i = 0
    while i < n do
        sum = sum:plus(Vector.new(i, 1))
        i = i + 1
    end
    local round = 0
    while round < n // 100 do
        local list = nil
        local j = 0
        while j < 100 do
            list = Link.new(j, list)
            j = j + 1
        end
        while list ~= nil do
            checksum = checksum + list.value
            list = list.next
        end
        round = round + 1
    end
    return sum.x + sum.y + checksum
end

work(1000)
local start = os.clock()
local checksum = work(500000)
print(checksum, string.format("%.1f", (os.clock() - start) * 1000))
