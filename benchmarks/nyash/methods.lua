-- Methods called on one object, and its fields read and written.
local Account = {}
Account.__index = Account
function Account.new(opening)
    return setmetatable({ balance = opening, moves = 0 }, Account)
end
function Account:deposit(n)
    self.balance = self.balance + n
    self.moves = self.moves + 1
end
function Account:total() return self.balance end

local function work(n)
    local account = Account.new(100)
    local checksum = 0
    local i = 0
    while i < n do
        account:deposit(i % 10)
        checksum = checksum + account:total() % 3
        i = i + 1
    end
    return checksum + account:total() + account.moves
end

work(1000)
local start = os.clock()
local checksum = work(2000000)
print(checksum, string.format("%.1f", (os.clock() - start) * 1000))
