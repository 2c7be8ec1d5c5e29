-- An intent sent by name to another node, whose handler is a script function.
-- Lua has no nodes. This is what one would write in their place: a table of nodes by name, each with a table of
-- handlers by intent name. One thread, no statistics, no rule that a node's handlers run one at a time.
local nodes = {}
local Node = {}
Node.__index = Node
function Node.new(id)
    local node = setmetatable({ id = id, handlers = {} }, Node)
    nodes[id] = node
    return node
end
function Node:on(name, handler)
    local list = self.handlers[name]
    if not list then
        list = {}
        self.handlers[name] = list
    end
    list[#list + 1] = handler
end
function Node:send(to, intent)
    local target = nodes[to]
    if not target then return false end
    local list = target.handlers[intent.name]
    if list then
        for i = 1, #list do list[i](intent, self.id) end
    end
    return true
end
function Node:close() nodes[self.id] = nil end

local function work(n)
    local alice = Node.new("alice")
    local bob = Node.new("bob")
    local count = 0
    bob:on("tick", function(intent, from) count = count + 1 end)
    local tick = { name = "tick", payload = { text = "hello" } }
    local i = 0
    while i < n do
        alice:send("bob", tick)
        i = i + 1
    end
    alice:close()
    bob:close()
    return count
end

work(1000)
local start = os.clock()
local checksum = work(1000000)
print(checksum, string.format("%.1f", (os.clock() - start) * 1000))
