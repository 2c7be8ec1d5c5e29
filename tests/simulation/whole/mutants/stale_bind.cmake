# A link that reads that its name was taken gives up, although it was taken by its own late bind.
mutate(transport/websocket/hub_link.cpp [[if (head.instance == node->instance()) {]] [[if (false) {]])
