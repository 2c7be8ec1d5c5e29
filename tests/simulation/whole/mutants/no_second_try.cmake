# A link whose name is still held by an earlier life's connection gives up at once.
mutate(transport/websocket/hub_link.cpp [[if (!head.may_retry) return node->on_failed(why);]] [[return node->on_failed(why);]])
