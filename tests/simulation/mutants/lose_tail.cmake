# Nobody asks for what remains unacknowledged: a lost tail is lost.
mutate(endpoint_peers.cpp [[peer.phase == Peer::Phase::Flowing && !peer.is_owed()) peer.sync_at]] [[peer.phase == Peer::Phase::Flowing) peer.sync_at]])
